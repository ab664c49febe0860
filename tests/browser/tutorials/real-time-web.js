// Establish connection (use wss:// for secure connection)
const socket = new WebSocket('ws://example.com/socketserver');

// Connection opened
socket.addEventListener('open', (event) => {
  console.log('WebSocket connection opened');
  socket.send('Hello Server!');
});

// Listen for messages
socket.addEventListener('message', (event) => {
  console.log('Message from server ', event.data);
});

// Connection closed
socket.addEventListener('close', (event) => {
  console.log('WebSocket connection closed');
});

// Handle errors
socket.addEventListener('error', (event) => {
  console.error('WebSocket error: ', event);
});
