// Runs dynalite, a mock of DynamoDB, on a loopback port. Prints its URL, and ends when stdin is closed.
'use strict';

const server = require('dynalite')({ createTableMs: 0, deleteTableMs: 0 });
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.resume();
process.stdin.on('end', () => process.exit());
