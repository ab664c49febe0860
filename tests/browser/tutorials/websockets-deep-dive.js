const ws = new WebSocket('ws://example.com'); // sends data unencrypted
