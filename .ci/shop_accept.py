"""Keeps the `Accept` header of whoever scrapes it: `shop_accept.py PORT OUT`, until killed."""

import http.server
import os
import sys


def main():
    port, out = int(sys.argv[1]), sys.argv[2]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with open(out + ".new", "w") as file:
                file.write(self.headers.get("Accept", ""))
            os.replace(out + ".new", out)
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
