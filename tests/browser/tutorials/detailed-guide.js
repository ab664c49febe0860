const socket = new WebSocket('wss://example.com/socket');

socket.onopen = () => {
    console.log('Connected to server');
    socket.send('Hello Server!');
};

socket.onmessage = (event) => {
    console.log('Message from server:', event.data);
};

socket.onerror = (error) => {
    console.error('WebSocket error:', error);
};

socket.onclose = () => {
    console.log('Connection closed');
};
