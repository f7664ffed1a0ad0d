"""A server that takes spans as Zipkin does, and holds what arrived against Zipkin's schema and what was sent.

zipkin_check.py serve PORT FILE: takes lists of spans, and appends each as a line to FILE.
zipkin_check.py check SCHEMA SENT FILE: SCHEMA is zipkin2-api.yaml, SENT what the sender printed.
"""

import http.server
import json
import sys


def serve(port, file):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            good = self.path == "/api/v2/spans" and self.headers["content-type"] == "application/json"
            if good:
                with open(file, "ab") as out:
                    out.write(body.replace(b"\n", b" ") + b"\n")
            self.send_response(202 if good else 400)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def check(schema, sent, file):
    import yaml
    from jsonschema import Draft4Validator, FormatChecker

    with open(schema) as text:
        definitions = yaml.safe_load(text)["definitions"]
    for strict in ("Span", "Endpoint", "Annotation"):
        definitions[strict]["additionalProperties"] = False
    of_list = {"$ref": "#/definitions/ListOfSpans", "definitions": definitions}
    validator = Draft4Validator(of_list, format_checker=FormatChecker())
    arrived, n_requests = {}, 0
    with open(file) as lines:
        for line in lines:
            n_requests += 1
            spans = json.loads(line)
            for error in validator.iter_errors(spans):
                sys.exit(f"INVALID {list(error.absolute_path)}: {error.message[:200]}")
            for span in spans:
                if span["id"] in arrived:
                    sys.exit(f"{span['id']} arrived twice")
                arrived[span["id"]] = span
    with open(sent) as text:
        sent = {span["id"]: span for span in json.load(text)}
    for key, span in sent.items():
        if arrived.get(key) != span:
            sys.exit(f"sent    {span}\narrived {arrived.get(key)}")
    if len(arrived) != len(sent) or not sent:
        sys.exit(f"{len(sent)} were sent, {len(arrived)} arrived")
    print(f"{len(arrived)} spans in {n_requests} requests: valid by Zipkin's schema, and as they were sent")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), sys.argv[3])
    else:
        check(*sys.argv[2:])
