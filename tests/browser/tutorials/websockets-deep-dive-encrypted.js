const ws = new WebSocket('wss://example.com'); // encrypted connection
