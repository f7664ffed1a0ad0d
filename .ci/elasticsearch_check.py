"""A stand-in for Elasticsearch and OpenSearch, strict where these are by their documentation; and a test of it by the
official client, so that what it takes for right is not ours alone.

    elasticsearch_check.py serve PORT JOURNAL    until it is ended; what it has is in JOURNAL, and is there again
    elasticsearch_check.py control URL           by the package `elasticsearch`
    elasticsearch_check.py count URL TARGET      how many documents can be found

What it has: the bulk API, `_search` with a query, a sort and `search_after`, data streams with backing indices and
rollover, composable templates with their mappings, policies of ILM and ISM. Documents can be found a second after they
were written. `POST /_check/fault` has the next bulk request fail: `drop` (written, not answered), `garbage` (written,
answered with something else), `busy` (429 for every other document), `refuse` (400 for
the first that is not there yet).
"""

import fnmatch
import gzip
import http.server
import json
import re
import sys
import threading
import time
import urllib.parse
import urllib.request
from datetime import datetime, timezone

KEY = "ApiKey dGVzdDprZXk="
REFRESH = 1.0
MOST_FIELDS = 1000
MOST_TERM = 32766


class Refused(Exception):
    """What a server answers to a request, or to one document of it."""

    def __init__(self, status, kind, reason):
        super().__init__(f"{status} {kind}: {reason}")
        self.status, self.kind, self.reason = status, kind, reason

    def error(self):
        return {"type": self.kind, "reason": self.reason}


def names(text):
    return set(text.split())


def illegal(reason):
    return Refused(400, "illegal_argument_exception", reason)


def unique(pairs):
    """An object of JSON; the parser of Elasticsearch takes no field twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"duplicate field in {[key for key, _ in pairs]}")
    return found


def not_json(word):
    raise ValueError(f"{word} is not JSON")


def parse(text):
    return json.loads(text, object_pairs_hook=unique, parse_constant=not_json)


def check_index_name(name):
    reserved = re.search(r'[\\/*?"<>| ,#:]', name) or name != name.lower()
    if reserved or name[:1] in ("", "-", "_", "+") or name in (".", "..") or len(name.encode()) > 255:
        raise Refused(400, "invalid_index_name_exception", f"Invalid index name [{name}]")


def nanos(value):
    """A date as it is indexed: `strict_date_optional_time_nanos||epoch_millis`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value * 1_000_000
    found = isinstance(value, str) and re.fullmatch(
        r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?", value
    )
    if not found:
        raise ValueError(f"failed to parse date field [{value}]")
    day, minute, second, fraction, zone = found.groups()
    text = f"{day}T{minute or '00:00'}:{second or '00'}{(zone or 'Z').replace('Z', '+00:00')}"
    whole = int((datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds())
    total = whole * 10**9 + int((fraction or "0").ljust(9, "0"))
    if not 0 <= total < 2**63:
        raise ValueError(f"date[{value}] is out of the range of date_nanos")
    return total


def words(text):
    return re.findall(r"\w+", text.lower())


class Mapping:
    """The types of an index's fields: those of its templates, and those that its documents add."""

    def __init__(self, mappings):
        self.types, self.dynamic = {}, []
        self.detects_dates = True
        for one in mappings:
            self.add(one)

    def add(self, mappings):
        known = names("properties dynamic_templates date_detection numeric_detection dynamic _source _meta")
        if set(mappings) - known:
            raise Refused(400, "mapper_parsing_exception", f"unsupported parameters {sorted(set(mappings) - known)}")
        self.detects_dates = mappings.get("date_detection", self.detects_dates)
        for rule in mappings.get("dynamic_templates", []):
            if len(rule) != 1:
                raise Refused(400, "mapper_parsing_exception", "a dynamic template must have one name")
            name, body = next(iter(rule.items()))
            if not set(body) <= {"path_match", "path_unmatch", "match", "unmatch", "match_mapping_type", "mapping"}:
                raise Refused(400, "mapper_parsing_exception", f"dynamic template [{name}] {sorted(body)}")
            self.dynamic.append(body)
        self.add_properties("", mappings.get("properties", {}))

    def add_properties(self, path, properties):
        for name, field in properties.items():
            if not name.strip() or not all(part.strip() for part in name.split(".")):
                raise illegal("field name cannot be an empty string")
            whole = f"{path}{name}"
            if "properties" in field or field.get("type") == "object":
                if field.get("enabled") is False:
                    self.types[whole] = {"type": "disabled"}
                self.add_properties(f"{whole}.", field.get("properties", {}))
                continue
            self.define(whole, field)
            for sub, of in field.get("fields", {}).items():
                self.define(f"{whole}.{sub}", of)

    def define(self, name, field):
        kinds = names(
            "keyword text match_only_text constant_keyword long integer double float date date_nanos "
            "boolean histogram flattened ip wildcard"
        )
        if field.get("type") not in kinds:
            raise Refused(400, "mapper_parsing_exception", f"No handler for type [{field.get('type')}] on [{name}]")
        if not set(field) <= names("type ignore_above fields value index doc_values norms time_series_metric"):
            raise Refused(400, "mapper_parsing_exception", f"unknown parameter on [{name}]: {sorted(field)}")
        self.types[name] = field

    def guess(self, name, value):
        """The type of a field that no template names."""
        of = {bool: "boolean", int: "long", float: "double", str: "string"}[type(value)]
        for rule in self.dynamic:
            if "path_match" in rule and not fnmatch.fnmatchcase(name, rule["path_match"]):
                continue
            if "match" in rule and not fnmatch.fnmatchcase(name.rsplit(".", 1)[-1], rule["match"]):
                continue
            if rule.get("match_mapping_type", "*") in ("*", of):
                return rule["mapping"]
        if of != "string":
            return {"type": {"double": "float"}.get(of, of)}
        if self.detects_dates and re.match(r"\d{4}-\d\d-\d\d", value):
            return {"type": "date"}
        return {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}

    def index(self, source):
        """The terms of a document by field, or an error where its fields have other types."""
        fields = {}
        try:
            self.walk(source, "", 1, fields)
            for name in fields:
                for at, c in enumerate(name):
                    if c == "." and name[:at] in fields:
                        raise ValueError(
                            f"object mapping for [{name[:at]}] tried to parse field as object, but found a value"
                        )
            added = {}
            terms = {name: self.terms(name, values, added) for name, values in fields.items()}
            if len(self.types) + len(added) > MOST_FIELDS:
                raise illegal(f"Limit of total fields [{MOST_FIELDS}] has been exceeded")
        except ValueError as error:
            raise Refused(400, "document_parsing_exception", str(error)) from None
        for name, field in added.items():
            self.types[name] = field
        return terms

    def walk(self, value, path, depth, fields):
        if self.types.get(path, {}).get("type") in ("disabled", "histogram", "flattened"):
            if self.types[path]["type"] == "histogram":
                check_histogram(path, value)
            return
        if depth > 20:
            raise ValueError("The depth of the field has exceeded the allowed limit of [20]")
        if isinstance(value, dict):
            for name, inner in value.items():
                if not all(part.strip() for part in name.split(".")):
                    raise ValueError(f"field name cannot contain only whitespace: [{path}.{name}]")
                self.walk(inner, f"{path}.{name}" if path else name, depth + 1, fields)
        elif isinstance(value, list):
            for item in value:
                self.walk(item, path, depth, fields)
        elif value is not None:
            fields.setdefault(path, []).append(value)

    def terms(self, name, values, added):
        if any(other.startswith(f"{name}.") and f"{name}" not in self.types for other in self.types):
            raise ValueError(f"object mapping for [{name}] tried to parse field as object, but found a value")
        field = self.types.get(name) or added.setdefault(name, self.guess(name, values[0]))
        return [term(name, field, value) for value in values]


def term(name, field, value):
    """A value as its field has it. What is longer than `ignore_above` is kept in the document alone."""
    kind = field["type"]
    if kind in ("long", "integer", "double", "float"):
        number = float(value) if kind in ("double", "float") else int(value)
        if isinstance(value, bool):
            raise ValueError(f"failed to parse field [{name}] of type [{kind}]")
        return number
    if kind in ("date", "date_nanos"):
        return nanos(value)
    if kind == "boolean":
        if value not in (True, False, "true", "false", ""):
            raise ValueError(f"failed to parse field [{name}] of type [boolean]")
        return value in (True, "true")
    text = {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    if kind == "keyword":
        if len(text) > field.get("ignore_above", 2**31):
            return None
        if len(text.encode()) > MOST_TERM:
            raise illegal(f'Document contains at least one immense term in field="{name}"')
    return text


def check_histogram(name, value):
    if not isinstance(value, dict) or set(value) != {"values", "counts"}:
        raise ValueError(f"[{name}] needs values and counts")
    values, counts = value["values"], value["counts"]
    if len(values) != len(counts) or values != sorted(values) or any(type(n) is not int or n < 0 for n in counts):
        raise ValueError(f"[{name}] has values out of order, or counts that are none")


class Index:
    def __init__(self, name, mapping):
        self.name, self.mapping, self.docs = name, mapping, {}

    def add(self, doc_id, source, op, at):
        if doc_id is not None and len(doc_id.encode()) > 512:
            raise illegal(f"id is too long, must be no longer than 512 bytes but was: {len(doc_id.encode())}")
        if op == "create" and doc_id in self.docs:
            raise Refused(409, "version_conflict_engine_exception", f"[{doc_id}]: document already exists")
        terms = self.mapping.index(source)
        doc_id = doc_id or f"auto-{len(self.docs) + 1}"
        is_new = doc_id not in self.docs
        self.docs[doc_id] = {"source": source, "terms": terms, "at": at}
        return doc_id, 201 if is_new else 200


class Store:
    """All that a cluster has. The journal has each request that changed it, so that it is there after a restart."""

    def __init__(self, path):
        self.indices, self.streams, self.faults = {}, {}, []
        self.things = {"component": {}, "index": {}, "ilm": {}, "ism": {}}
        self.journal = None
        try:
            with open(path) as lines:
                for line in lines:
                    one = json.loads(line)
                    {"doc": self.write, "put": self.put, "rollover": self.roll_over}[one["do"]](
                        *one["with"], journaled=True
                    )
        except FileNotFoundError:
            pass
        self.journal = open(path, "a")

    def note(self, do, *arguments):
        self.journal.write(json.dumps({"do": do, "with": arguments}) + "\n")
        self.journal.flush()

    def template(self, name):
        """The index template of the highest priority whose pattern has the name."""

        def fits(template):
            return any(fnmatch.fnmatchcase(name, pattern) for pattern in template["index_patterns"])

        found = [template for template in self.things["index"].values() if fits(template)]
        return max(found, key=lambda template: template.get("priority", 0), default=None)

    def mapping(self, template):
        parts = [self.things["component"][name]["template"] for name in (template or {}).get("composed_of", [])]
        parts.append((template or {}).get("template", {}))
        return Mapping([part["mappings"] for part in parts if "mappings" in part])

    def target(self, name):
        """The index that documents for a name go to: it is made where there is none."""
        template = self.template(name)
        if name in self.streams or (template and "data_stream" in template):
            if name not in self.streams:
                self.streams[name] = []
                self.add_backing(name, template)
            return self.indices[self.streams[name][-1]], True
        if name not in self.indices:
            check_index_name(name)
            self.indices[name] = Index(name, self.mapping(template))
        return self.indices[name], False

    def has(self, name, doc_id):
        return doc_id in self.target(name)[0].docs

    def add_backing(self, stream, template):
        name = f".ds-{stream}-{datetime.now(timezone.utc):%Y.%m.%d}-{len(self.streams[stream]) + 1:06}"
        self.streams[stream].append(name)
        self.indices[name] = Index(name, self.mapping(template))

    def write(self, name, doc_id, source, op, at, journaled=False):
        index, is_stream = self.target(name)
        if is_stream:
            if op != "create":
                raise illegal("only write ops with an op_type of create are allowed in data streams")
            if "@timestamp" not in source:
                raise Refused(400, "document_parsing_exception", "data stream timestamp field [@timestamp] is missing")
        doc_id, status = index.add(doc_id, source, op, at)
        if not journaled:
            self.note("doc", name, doc_id, source, op, at)
        return index.name, doc_id, status

    def put(self, what, name, body, journaled=False):
        {"component": check_component, "index": self.check_template, "ilm": check_ilm, "ism": check_ism}[what](body)
        if what == "index":
            self.mapping(body)
        self.things[what][name] = body
        if not journaled:
            self.note("put", what, name, body)

    def check_template(self, body):
        known = names("index_patterns data_stream priority composed_of template version _meta allow_auto_create")
        if set(body) - known or not body.get("index_patterns"):
            raise Refused(400, "x_content_parse_exception", f"[index_template] {sorted(set(body) - known)}")
        missing = [name for name in body.get("composed_of", []) if name not in self.things["component"]]
        if missing:
            raise Refused(400, "invalid_index_template_exception", f"component templates {missing} that do not exist")
        policy = body.get("template", {}).get("settings", {}).get("index.lifecycle.name")
        if policy is not None and policy not in self.things["ilm"]:
            raise illegal(f"policy [{policy}] does not exist")

    def roll_over(self, stream, journaled=False):
        if stream not in self.streams:
            raise Refused(404, "index_not_found_exception", f"no such index [{stream}]")
        self.add_backing(stream, self.template(stream))
        if not journaled:
            self.note("rollover", stream)

    def resolve(self, expression, ignores_missing):
        """The indices behind names and patterns."""
        matching = []
        for part in expression.split(","):
            found = [name for name in {**self.indices, **self.streams} if fnmatch.fnmatchcase(name, part)]
            if not found and "*" not in part and not ignores_missing:
                raise Refused(404, "index_not_found_exception", f"no such index [{part}]")
            for name in found:
                if not name.startswith(".ds-") or part.startswith("."):
                    matching += self.streams.get(name, [name])
        return [self.indices[name] for name in dict.fromkeys(matching)]


def check_component(body):
    if set(body) - {"template", "version", "_meta"} or not isinstance(body.get("template"), dict):
        raise Refused(400, "x_content_parse_exception", "[component_template] template is required")
    if set(body["template"]) - {"mappings", "settings", "aliases"}:
        raise Refused(400, "x_content_parse_exception", f"[template] {sorted(body['template'])}")
    Mapping([body["template"].get("mappings", {})])


def check_time(text):
    if not re.fullmatch(r"\d+(d|h|m|s|ms|micros|nanos)", text):
        raise illegal(f"failed to parse setting with value [{text}] as a time value")


def check_size(text):
    if not re.fullmatch(r"\d+(b|kb|mb|gb|tb|pb)", text):
        raise illegal(f"failed to parse [{text}] as a size in bytes")


def check_ilm(body):
    phases = body["policy"]["phases"]
    if set(phases) - {"hot", "warm", "cold", "frozen", "delete"}:
        raise illegal(f"Timeseries lifecycle does not support phases {sorted(phases)}")
    legal = {
        "hot": {"rollover", "set_priority", "forcemerge", "shrink", "readonly", "unfollow", "downsample"},
        "delete": {"delete", "wait_for_snapshot"},
    }
    for name, phase in phases.items():
        check_time(phase.get("min_age", "0ms"))
        actions = phase.get("actions", {})
        if name in legal and set(actions) - legal[name]:
            raise illegal(f"invalid action in phase [{name}]: {sorted(actions)}")
        rollover = actions.get("rollover")
        if rollover is not None:
            known = {
                "max_age": check_time,
                "max_size": check_size,
                "max_primary_shard_size": check_size,
                "max_docs": int,
            }
            if not rollover or set(rollover) - set(known):
                raise illegal("At least one max_* rollover condition must be set, and no other")
            for key, value in rollover.items():
                known[key](value)


def check_ism(body):
    policy = body["policy"]
    if set(policy) - {"description", "default_state", "states", "ism_template", "error_notification", "schema_version"}:
        raise illegal(f"Invalid field in Policy: {sorted(policy)}")
    states = {state["name"] for state in policy["states"]}
    if policy["default_state"] not in states:
        raise illegal(f"Policy must have a valid default state: {policy['default_state']}")
    for state in policy["states"]:
        for action in state["actions"]:
            conditions = action.get("rollover", {})
            if set(action) - {"rollover", "delete", "read_only", "force_merge"} or set(conditions) - names(
                "min_size min_doc_count min_index_age min_primary_shard_size"
            ):
                raise illegal(f"Invalid action: {action}")
        for transition in state["transitions"]:
            if transition["state_name"] not in states:
                raise illegal(f"Policy contains a transition to a state that is none: {transition}")
            if set(transition.get("conditions", {})) - names(
                "min_index_age min_doc_count min_size cron min_rollover_age"
            ):
                raise illegal(f"Invalid condition: {transition}")
            for age in transition.get("conditions", {}).values():
                check_time(age)
    for template in policy.get("ism_template", []):
        if set(template) - {"index_patterns", "priority", "last_updated_time"}:
            raise illegal(f"Invalid ism_template: {template}")


# The bulk API.

ACTIONS = {"index", "create", "update", "delete"}
PARAMETERS = names(
    "_index _id routing pipeline version version_type if_seq_no if_primary_term require_alias "
    "require_data_stream retry_on_conflict dynamic_templates _source list_executed_pipelines"
)


def bulk(store, body, default, fault):
    if not body.endswith(b"\n"):
        raise illegal("The bulk request must be terminated by a newline [\\n]")
    lines = iter(enumerate(body.split(b"\n")[:-1], 1))
    operations = []
    for number, line in lines:
        if not line.strip():
            continue
        operations.append(operation(number, line, lines, default))
    if not operations:
        raise Refused(400, "action_request_validation_exception", "Validation Failed: 1: no requests added;")
    items, now = [], time.time()
    for place, (op, name, doc_id, text) in enumerate(operations):
        try:
            if fault == "busy" and place % 2:
                raise Refused(429, "es_rejected_execution_exception", "rejected execution of coordinating operation")
            if fault == "refuse" and not store.has(name, doc_id):
                fault = None
                raise Refused(400, "document_parsing_exception", "refused for a test")
            if op not in ("create", "index"):
                raise illegal(f"the stand-in has no [{op}]")
            try:
                source = parse(text)
            except ValueError as error:
                raise Refused(400, "document_parsing_exception", f"failed to parse: {error}") from None
            if not isinstance(source, dict):
                raise Refused(400, "document_parsing_exception", "Malformed content, must start with an object")
            index, doc_id, status = store.write(name, doc_id, source, op, now)
            result = {"_index": index, "_id": doc_id, "status": status, "result": "created"}
        except Refused as refused:
            result = {"_index": name, "_id": doc_id, "status": refused.status, "error": refused.error()}
        items.append({op: result})
    if fault == "refuse":
        store.faults.append(fault)  # All were there before: the next one, then.
    errors = any("error" in result for item in items for result in item.values())
    return {"took": 1, "errors": errors, "items": items}


def operation(number, line, lines, default):
    """An action, and the line of its document."""
    try:
        action = parse(line)
    except ValueError as error:
        raise illegal(f"Malformed action/metadata line [{number}]: {error}") from None
    if not isinstance(action, dict) or len(action) != 1:
        raise illegal(f"Malformed action/metadata line [{number}], expected one action")
    op, parameters = next(iter(action.items()))
    if op not in ACTIONS or not isinstance(parameters, dict):
        raise illegal(f"Malformed action/metadata line [{number}], found [{op}]")
    if set(parameters) - PARAMETERS:
        raise illegal(
            f"Action/metadata line [{number}] contains an unknown parameter {sorted(set(parameters) - PARAMETERS)}"
        )
    name = parameters.get("_index") or default
    if not name:
        raise Refused(400, "action_request_validation_exception", "Validation Failed: 1: index is missing;")
    doc_id = parameters.get("_id")
    if doc_id == "":
        raise illegal("if _id is specified it must not be empty")
    text = next(lines, (0, None))[1] if op != "delete" else b"{}"
    if text is None:
        raise illegal(f"missing the document of line [{number}]")
    return op, name, doc_id, text


# The search API.


def only(body, known, what):
    if not isinstance(body, dict) or set(body) - known:
        raise Refused(
            400,
            "parsing_exception",
            f"[{what}] does not support {sorted(set(body) - known) if isinstance(body, dict) else body}",
        )
    return body


def one_field(body, what):
    if not isinstance(body, dict) or len(body) != 1:
        raise Refused(400, "parsing_exception", f"[{what}] query needs one field")
    return next(iter(body.items()))


def matches(query, index, doc):
    kind, body = one_field(query, "query")
    if kind == "match_all":
        return True
    if kind == "bool":
        only(body, {"must", "filter", "should", "must_not", "minimum_should_match", "boost"}, "bool")
        each = {
            name: part if isinstance(part, list) else [part]
            for name, part in body.items()
            if name not in ("minimum_should_match", "boost")
        }
        all_of = each.get("must", []) + each.get("filter", [])
        should = each.get("should", [])
        least = body.get("minimum_should_match", 0 if all_of else 1) if should else 0
        return (
            all(matches(one, index, doc) for one in all_of)
            and not any(matches(one, index, doc) for one in each.get("must_not", []))
            and sum(matches(one, index, doc) for one in should) >= least
        )
    if kind == "multi_match":
        only(body, {"query", "fields", "operator", "type", "lenient"}, "multi_match")
        return any(has_words(index, doc, field, body) for field in body["fields"])
    if kind == "exists":
        return bool(values_of(index, doc, only(body, {"field"}, "exists")["field"]))
    field, body = one_field(body, kind)
    if kind == "match":
        return has_words(index, doc, field, body if isinstance(body, dict) else {"query": body})
    if kind in ("term", "terms"):
        wanted = body if kind == "terms" else [body["value"] if isinstance(body, dict) else body]
        return any(equals(index, doc, field, value) for value in wanted)
    if kind == "range":
        only(body, {"gte", "gt", "lte", "lt", "format", "boost", "time_zone"}, "range")
        mapping = index.mapping.types.get(field)
        if mapping is None:
            return False
        bounds = {
            key: term_of(field, mapping, value) for key, value in body.items() if key in ("gte", "gt", "lte", "lt")
        }
        compare = {
            "gte": lambda a, b: a >= b,
            "gt": lambda a, b: a > b,
            "lte": lambda a, b: a <= b,
            "lt": lambda a, b: a < b,
        }
        return any(
            all(compare[key](value, bound) for key, bound in bounds.items()) for value in values_of(index, doc, field)
        )
    raise Refused(400, "parsing_exception", f"unknown query [{kind}]")


def term_of(field, mapping, value):
    try:
        return term(field, mapping, value)
    except ValueError as error:
        raise Refused(400, "query_shard_exception", f"failed to create query: {error}") from None


def values_of(index, doc, field):
    """The values of a field, also of one that is a part of another: `span.name.text`."""
    found = doc["terms"].get(field)
    if found is None and "." in field and index.mapping.types.get(field):
        parent = field.rsplit(".", 1)[0]
        if field.rsplit(".", 1)[1] in index.mapping.types.get(parent, {}).get("fields", {}):
            found = doc["terms"].get(parent)
    return [value for value in found or [] if value is not None]


def equals(index, doc, field, value):
    mapping = index.mapping.types.get(field)
    if mapping is None:
        return False
    if mapping["type"] in ("text", "match_only_text"):
        return any(str(value) in words(text) for text in values_of(index, doc, field))
    return term_of(field, mapping, value) in values_of(index, doc, field)


def has_words(index, doc, field, body):
    only(body, {"query", "operator", "fields", "type", "lenient"}, "match")
    if body.get("operator", "or") not in ("and", "or", "AND", "OR"):
        raise Refused(400, "parsing_exception", f"operator {body['operator']}")
    mapping = index.mapping.types.get(field)
    if mapping is None:
        return False
    if mapping["type"] not in ("text", "match_only_text"):
        return equals(index, doc, field, body["query"])
    needed, found = words(body["query"]), {word for text in values_of(index, doc, field) for word in words(text)}
    hits = [word in found for word in needed]
    return bool(hits) and (all(hits) if body.get("operator", "or").lower() == "and" else any(hits))


class Order:
    """A value to sort by: upwards or downwards, what is missing at the end."""

    def __init__(self, value, is_down):
        self.value, self.is_down = value, is_down

    def __lt__(self, other):
        if self.value is None or other.value is None:
            return self.value is not None and other.value is None
        return other.value < self.value if self.is_down else self.value < other.value

    def __eq__(self, other):
        return self.value == other.value


def search(store, target, body, parameters):
    known = {"query", "sort", "size", "from", "search_after", "track_total_hits", "_source"}
    only(body, known, "search")
    size, begin = body.get("size", 10), body.get("from", 0)
    if size + begin > 10_000:
        raise illegal("Result window is too large, from + size must be less than or equal to: [10000]")
    sort = [one_field(one if isinstance(one, dict) else {one: {}}, "sort") for one in body.get("sort", [])]
    sort = [(field, how if isinstance(how, dict) else {"order": how}) for field, how in sort]
    for field, how in sort:
        only(how, {"order", "missing", "unmapped_type", "numeric_type", "format", "mode"}, "sort")
    after = body.get("search_after")
    if after is not None and len(after) != len(sort):
        raise illegal(f"search_after has {len(after)} value(s) but sort has {len(sort)}.")
    if after is not None and begin:
        raise illegal("`from` parameter must be set to 0 when `search_after` is used")
    hits, now = [], time.time()
    ignores = parameters.get("ignore_unavailable", ["false"])[0] == "true"
    for index in store.resolve(target, ignores):
        for field, how in sort:
            mapping = index.mapping.types.get(field)
            if mapping is None and "unmapped_type" not in how and index.docs:
                raise Refused(400, "query_shard_exception", f"No mapping found for [{field}] in order to sort on")
            if mapping and mapping["type"] == "text":
                raise illegal(f"Fielddata is disabled on [{field}]")
        for doc_id, doc in index.docs.items():
            if doc["at"] + REFRESH < now and matches(body.get("query", {"match_all": {}}), index, doc):
                hits.append((sort_values(index, doc, sort), index.name, doc_id, doc["source"]))

    def order(values):
        return [Order(value, how.get("order", "asc") == "desc") for value, (_, how) in zip(values, sort)]

    if after is not None:
        hits = [hit for hit in hits if order(after) < order(hit[0])]
    hits.sort(key=lambda hit: order(hit[0]))
    found = [
        {"_index": index, "_id": doc_id, "_score": None, "_source": source, **({"sort": values} if sort else {})}
        for values, index, doc_id, source in hits[begin : begin + size]
    ]
    total = {} if body.get("track_total_hits") is False else {"total": {"value": len(hits), "relation": "eq"}}
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    return {"took": 1, "timed_out": False, "_shards": shards, "hits": {**total, "max_score": None, "hits": found}}


def sort_values(index, doc, sort):
    values = []
    for field, how in sort:
        found = values_of(index, doc, field)
        pick = max if how.get("order", "asc") == "desc" else min
        value = pick(found) if found else None
        kind = index.mapping.types.get(field, {}).get("type")
        if kind == "date" and how.get("numeric_type") != "date_nanos" and value is not None:
            value //= 1_000_000
        values.append(value)
    return values


def filtered(answer, patterns):
    """The parts of an answer that `filter_path` names."""

    def part(value, paths):
        if any(not path for path in paths):
            return value
        if isinstance(value, list):
            items = [part(item, paths) for item in value]
            return [item for item in items if item not in ({}, None)]
        if not isinstance(value, dict):
            return None
        found = {}
        for key, inner in value.items():
            rest = [path[1:] for path in paths if fnmatch.fnmatchcase(key, path[0])]
            kept = part(inner, rest) if rest else None
            if kept not in (None, {}, []):
                found[key] = kept
        return found

    return part(answer, [pattern.split(".") for pattern in patterns])


# HTTP.

ANY_JSON = {"application/json", "application/vnd.elasticsearch+json"}
ANY_BULK = ANY_JSON | {"application/x-ndjson", "application/vnd.elasticsearch+x-ndjson"}


def handler(store, lock):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status, body):
            data = json.dumps(body).encode() if not isinstance(body, bytes) else body
            self.send_response(status)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def handle_one(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            path, _, query = self.path.partition("?")
            parameters = urllib.parse.parse_qs(query)
            parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
            try:
                if not parts[0].startswith("_check") and self.headers.get("Authorization") != KEY:
                    raise Refused(401, "security_exception", "missing authentication credentials")
                with lock:
                    answer = self.route(parts, parameters, body)
            except Refused as refused:
                self.answer(refused.status, {"error": refused.error(), "status": refused.status})
                return
            except (KeyError, TypeError, AttributeError) as error:
                self.answer(400, {"error": {"type": "parsing_exception", "reason": repr(error)}, "status": 400})
                return
            if answer is None:
                self.close_connection = True
                return
            if "filter_path" in parameters and isinstance(answer, dict):
                answer = filtered(answer, parameters["filter_path"][0].split(","))
            self.answer(200, answer)

        def json(self, body, types=frozenset(ANY_JSON)):
            if not body:
                return {}
            self.check_type(types)
            try:
                return parse(body)
            except ValueError as error:
                raise Refused(400, "parsing_exception", str(error)) from None

        def check_type(self, types):
            kind = (self.headers.get("Content-Type") or "").split(";")[0].strip()
            if kind not in types:
                raise Refused(406, "media_type_header_exception", f"Content-Type header [{kind}] is not supported")

        def route(self, parts, parameters, body):
            writes = self.command in ("POST", "PUT")
            match parts:
                case [""]:
                    return {"version": {"number": "8.19.3"}, "tagline": "You Know, for Search"}
                case ["_check", "fault"]:
                    store.faults.append(json.loads(body)["kind"])
                    return {}
                case ["_bulk"] | [_, "_bulk"] if writes:
                    self.check_type(ANY_BULK)
                    fault = store.faults.pop(0) if store.faults else None
                    answer = bulk(store, body, parts[0] if len(parts) == 2 else None, fault)
                    if fault == "garbage":
                        return b"<html>a proxy in between</html>"
                    return None if fault == "drop" else answer
                case [target, "_search"]:
                    return search(store, target, self.json(body), parameters)
                case [target, "_count"]:
                    hits = search(store, target, {**self.json(body), "size": 0}, parameters)["hits"]
                    return {"count": hits["total"]["value"]}
                case [_, "_refresh"] | ["_refresh"]:
                    time.sleep(REFRESH + 0.01)
                    return {"_shards": {"total": 1, "successful": 1, "failed": 0}}
                case [stream, "_rollover"] if self.command == "POST":
                    store.roll_over(stream)
                    return {"acknowledged": True, "rolled_over": True}
                case ["_data_stream", name]:
                    found = [one for one in store.streams if fnmatch.fnmatchcase(one, name)]
                    return {
                        "data_streams": [
                            {"name": one, "indices": [{"index_name": it} for it in store.streams[one]]} for one in found
                        ]
                    }
                case ["_component_template" | "_index_template" as what, name]:
                    return self.administer(what[1:].split("_")[0], name, body, writes)
                case ["_ilm", "policy", name]:
                    return self.administer("ilm", name, body, self.command == "PUT")
                case ["_plugins", "_ism", "policies", name]:
                    return self.ism(name, body, parameters)
            raise Refused(
                405 if parts[0].startswith("_") else 404,
                "illegal_argument_exception",
                f"no handler for {self.command} {self.path}",
            )

        def administer(self, what, name, body, writes):
            if writes:
                store.put(what, name, self.json(body))
                return {"acknowledged": True}
            if name not in store.things[what]:
                raise Refused(404, "resource_not_found_exception", f"[{name}] is missing")
            found = store.things[what][name]
            if what == "ilm":
                return {name: found}
            return {f"{what}_templates": [{"name": name, f"{what}_template": found}]}

        def ism(self, name, body, parameters):
            there = store.things["ism"].get(name)
            version = there["_version"] if there else None
            if self.command == "PUT":
                given = parameters.get("if_seq_no"), parameters.get("if_primary_term")
                if given != (([str(version)], ["1"]) if there else (None, None)):
                    raise Refused(
                        409, "version_conflict_engine_exception", f"[{name}]: version conflict, document already exists"
                    )
                policy = self.json(body)
                store.put("ism", name, policy)
                store.things["ism"][name] = {**policy, "_version": (version or 0) + 1}
            elif there is None:
                raise Refused(404, "status_exception", "Policy not found")
            found = store.things["ism"][name]
            return {"_id": name, "_seq_no": found["_version"], "_primary_term": 1, "policy": found["policy"]}

        do_GET = do_POST = do_PUT = do_HEAD = handle_one

        def log_message(self, *_):
            pass

    return Handler


def serve(port, path):
    handle = handler(Store(path), threading.Lock())
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handle).serve_forever()


def count(url, target):
    request = urllib.request.Request(
        f"{url}/{target}/_count", headers={"Authorization": KEY, "Content-Type": "application/json"}
    )
    print(json.load(urllib.request.urlopen(request))["count"])


def control(url):
    """What the official client does is taken, and what it must not do is refused as it expects."""
    import elasticsearch
    from elasticsearch import Elasticsearch, helpers

    print("elasticsearch", elasticsearch.__versionstr__)
    client = Elasticsearch(url, api_key=KEY.split()[1])
    client.ilm.put_lifecycle(
        name="week",
        policy={
            "phases": {
                "hot": {"actions": {"rollover": {"max_age": "1d"}}},
                "delete": {"min_age": "7d", "actions": {"delete": {}}},
            }
        },
    )
    client.cluster.put_component_template(
        name="types",
        template={
            "mappings": {
                "properties": {
                    "@timestamp": {"type": "date_nanos"},
                    "message": {"type": "text"},
                    "n": {"type": "long"},
                    "user": {"properties": {"name": {"type": "keyword", "ignore_above": 8}}},
                }
            }
        },
    )
    client.indices.put_index_template(
        name="control",
        index_patterns=["logs-control-*"],
        data_stream={},
        priority=200,
        composed_of=["types"],
        template={"settings": {"index.lifecycle.name": "week"}},
    )
    assert client.ilm.get_lifecycle(name="week")["week"]["policy"]["phases"]["delete"]["min_age"] == "7d"
    stream = "logs-control-a"
    docs = [
        {
            "_op_type": "create",
            "_index": stream,
            "_id": f"id-{n}",
            "@timestamp": f"2026-11-30T08:00:00.{n // 2:09}Z",
            "message": f"The Card {n} was refused",
            "n": n,
            "user.name": "ann" if n % 2 else "a name that is too long",
        }
        for n in range(10)
    ]
    assert helpers.bulk(client, docs) == (10, [])
    done, errors = helpers.bulk(client, docs[:1], raise_on_error=False)
    assert (done, errors[0]["create"]["status"]) == (0, 409), errors
    bad = [
        {**docs[0], "_id": "bad", "n": "seven"},
        {**docs[0], "_id": "none", "user": 1},
        {**docs[0], "_op_type": "index"},
    ]
    done, errors = helpers.bulk(client, bad, raise_on_error=False)
    assert [next(iter(error.values()))["status"] for error in errors] == [400] * 3, errors
    client.indices.refresh(index=stream)
    assert client.count(index=stream)["count"] == 10

    def ids(**arguments):
        return [hit["_id"] for hit in client.search(index=stream, **arguments)["hits"]["hits"]]

    sort = [{"@timestamp": {"order": "asc", "numeric_type": "date_nanos"}}, {"n": "asc"}]
    found, after = [], None
    while True:
        page = client.search(index=stream, size=3, sort=sort, search_after=after)["hits"]["hits"]
        if not page:
            break
        found += [hit["_id"] for hit in page]
        after = page[-1]["sort"]
    assert found == [f"id-{n}" for n in range(10)], found
    assert ids(query={"term": {"user.name": "ann"}}, sort=[{"n": "desc"}], size=2) == ["id-9", "id-7"]
    assert ids(query={"match": {"message": {"query": "card 7", "operator": "and"}}}) == ["id-7"]
    times = {"gte": "2026-11-30T08:00:00.000000001Z", "lt": "2026-11-30T08:00:00.000000002Z"}
    assert sorted(ids(query={"bool": {"filter": [{"range": {"@timestamp": times}}]}})) == ["id-2", "id-3"]
    must_not = [{"range": {"n": {"gt": 0}}}]
    assert ids(query={"bool": {"must": [{"match_all": {}}], "must_not": must_not}}) == ["id-0"]
    for query in [
        {"terms_": {}},
        {"bool": {"filters": []}},
        {"range": {"n": {"from": 1}}},
        {"match": {"message": {"q": 1}}},
    ]:
        try:
            client.search(index=stream, query=query)
            raise AssertionError(f"{query} was taken")
        except elasticsearch.BadRequestError:
            pass
    try:
        client.search(index="logs-other-a")
        raise AssertionError("an index that is not there was found")
    except elasticsearch.NotFoundError:
        pass
    # After a rollover an id is new again: a stream looks at its newest index alone.
    client.indices.rollover(alias=stream)
    assert helpers.bulk(client, docs[:1]) == (1, [])
    backing = client.indices.get_data_stream(name=stream)["data_streams"][0]["indices"]
    assert len(backing) == 2, backing
    print("the official client agrees")


if __name__ == "__main__":
    {"serve": serve, "control": control, "count": count}[sys.argv[1]](*sys.argv[2:])
