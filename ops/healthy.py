"""`python -m ops.healthy PORT`: whether our process that listens there can do its work; docker-compose.yml asks."""

import http.client
import sys

_PATIENCE_SECONDS = 2.0


def main(port: int) -> int:
    """Exit status 0 where it can."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return 0 if connection.getresponse().status == http.HTTPStatus.OK else 1
    except OSError:
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
