import base64
import http.client

from labkit.runtime.credentials import Credentials
from labkit.runtime.local.ports import HOST
from labkit.runtime.local.processes import Group
from labkit.stack import Service

_ANSWER_S = 2.0


class Probe:
    """Asks instances whether they are ready."""

    def __init__(self, credentials: Credentials) -> None:
        login = f"{credentials.amqp_user}:{credentials.amqp_password}".encode()
        self._login = {"Authorization": f"Basic {base64.b64encode(login).decode()}"}

    def trouble(self, service: Service, ports: tuple[int, ...], group: Group) -> str:
        """Say what keeps the instance from being ready; "" when it is."""
        if group.root is None:
            return "it is not running"
        if group.paused():
            return "it is paused"
        listening = group.listening()
        if not listening or (ports and ports[0] not in listening):
            return f"it does not listen on port {ports[0]} yet" if ports else "it does not listen yet"
        if service.readiness == "broker":
            # Green only when clients are accepted, and only for the right password.
            return _complaint(ports[1], f"/api/health/checks/port-listener/{ports[0]}", self._login)
        if service.readiness == "store":
            return _complaint(ports[0], "/", {}, refusal_is_fine=True)
        path = "/-/ready" if service.readiness == "prometheus" else "/health"
        return _complaint(ports[0] if ports else min(listening), path, {})


def _complaint(port: int, path: str, headers: dict[str, str], *, refusal_is_fine: bool = False) -> str:
    connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_S)
    try:
        connection.request("GET", path, headers=headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return f"it does not answer on port {port} yet"
    finally:
        connection.close()
    fine = status == http.client.OK or (refusal_is_fine and status < http.client.INTERNAL_SERVER_ERROR)
    return "" if fine else f"{path} on port {port} answers {status}"
