"""Serves the project beside it on one loopback port that speaks HTTP and TLS.

Prints the port once it listens, and ends when its standard input does. LOCKSTEP_E2E_CERTIFICATE
names a PEM file with a certificate and its key.
"""
import os
import socket
import socketserver
import ssl
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

TIMEOUT = 10  # seconds that a client may stay silent
HANDSHAKE = b"\x16"  # the first byte of a TLS connection


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self):
        # WSGIServer would look the name of the address up.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]
        self.setup_environ()

    def finish_request(self, request, client_address):
        """Runs in the thread of the connection, so that a silent client keeps nobody waiting."""
        request.settimeout(TIMEOUT)
        if request.recv(1, socket.MSG_PEEK) == HANDSHAKE:
            request = self.tls.wrap_socket(request, server_side=True)
        self.RequestHandlerClass(request, client_address, self)
        if isinstance(request, ssl.SSLSocket):
            request.close()


class Handler(WSGIRequestHandler):
    def get_environ(self):
        environ = super().get_environ()
        if isinstance(self.connection, ssl.SSLSocket):
            environ["HTTPS"] = "on"  # from which wsgiref makes wsgi.url_scheme
        return environ

    def log_message(self, format, *args):
        pass


def main():
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    django.setup()
    call_command("migrate", verbosity=0)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(os.environ["LOCKSTEP_E2E_CERTIFICATE"])
        server.set_app(get_wsgi_application())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()


main()
