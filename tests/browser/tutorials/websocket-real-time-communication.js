const ws = new WebSocket('ws://localhost:8080');

ws.onmessage = (event) => {
    console.log('Message received:', event.data);
};

ws.onopen = () => {
    ws.send('Hello, server!');
};
