"""A disk for another process of this machine: WebDAV over TLS, with a key of each start.

``targets``, ``verbs``, ``ranges``, ``browsers`` and ``failures`` think; ``callers`` says who may;
``resources``, ``properties`` and ``handling`` are the disk in the words of WebDAV; ``application``
puts these together; ``requests``, ``server``, ``sockets`` and ``certificate`` are what a client
meets before; ``serving`` is what ``Storage.serve`` gives. All of it needs ``safefs[bridge]``.
"""
