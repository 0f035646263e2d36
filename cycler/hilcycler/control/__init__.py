"""The control API of a service: HTTP over two Unix sockets, one to look and one to act, and its client."""
