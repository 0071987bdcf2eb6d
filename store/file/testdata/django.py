"""
A real Django with its backend file on the folder named by the first argument: one JSON object a line
in, one out.
"""
import json
import sys
from datetime import datetime, timezone
import warnings

warnings.simplefilter("ignore")

from django.conf import settings

settings.configure(
    SECRET_KEY="a key for tests",
    USE_TZ=True,
    SESSION_FILE_PATH=sys.argv[1],
    SESSION_COOKIE_AGE=3600,
    SESSION_ENGINE="django.contrib.sessions.backends.file",
)

import django

django.setup()

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.file import SessionStore


def save(q):
    s = SessionStore(q.get("key"))
    s.update(q["data"])
    if q.get("key") is None:
        s.create()
    if q.get("age"):
        s.set_expiry(q["age"])
    s.save()
    return s.session_key


def load(q):
    """The items, or None when Django takes the session for none."""
    s = SessionStore(q["key"])
    items = dict(s.items())
    return items if s.session_key == q["key"] else None


def age(q):
    """Seconds after which Django takes the session for expired."""
    s = SessionStore(q["key"])
    return s.get_expiry_age(expiry=s._expiry_date(s.load()))


def race(q):
    """Reads and saves until the session ends or it has done so n times; says what was overwritten unread."""
    done = lost = 0
    for i in range(q["n"]):
        s = SessionStore(q["key"])
        s["django"] = s.get("django", 0) + 1
        if s["django"] != done + 1:
            lost += 1
        done = s["django"]
        try:
            s.save()
        except UpdateError:
            break
    return {"done": done, "lost": lost}


def expiry(q):
    """get_expiry_date() and get_expiry_age() of a session that was changed then and has this expiry."""
    at = dict(modification=datetime.fromtimestamp(q["modification"], timezone.utc), expiry=q["expiry"])
    s = SessionStore()
    return [s.get_expiry_date(**at).isoformat(timespec="microseconds"), s.get_expiry_age(**at)]


OPS = {
    "expiry": expiry,
    "save": save,
    "load": load,
    "age": age,
    "race": race,
    "clear": lambda q: SessionStore.clear_expired(),
    "delete": lambda q: SessionStore(q["key"]).delete(),
}

for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = {"result": OPS[question["op"]](question)}
    except Exception as e:
        answer = {"error": "%s: %s" % (type(e).__name__, e)}
    print(json.dumps(answer), flush=True)
