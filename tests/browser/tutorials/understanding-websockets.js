const ws = new WebSocket('ws://localhost:8080');

ws.onmessage = (event) => {
    console.log('Received message:', event.data);
};

function sendMessage(message) {
    ws.send(message);
}

document.getElementById('sendButton').addEventListener('click', () => {
    const message = document.getElementById('messageInput').value;
    sendMessage(message);
});
