"""Serves moto on a free port of the loopback interface, which the first line of the output tells.

moto's own command cannot tell a free port, and fails with an internal error at an operation that moto does not have.
Clients send a request with such an error again. Here the answer is 404, as moto's answer to a path that it does not
have.
"""

import os

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server


def create(service):
    app = create_backend_app(service)
    app.register_error_handler(NotImplementedError, lambda error: (str(error), 404))
    return app


server = make_server(
    "127.0.0.1", 0, DomainDispatcherApplication(create), threaded=True, request_handler=MotoRequestHandler
)
# moto sends requests to itself at this port.
os.environ["MOTO_PORT"] = str(server.port)
print(f"MOTO_PORT={server.port}", flush=True)
server.serve_forever()
