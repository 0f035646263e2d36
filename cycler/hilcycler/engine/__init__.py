"""The engine: interprets a protocol on a channel."""
