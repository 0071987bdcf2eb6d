"""
A real Django on the database named by the first argument: one JSON object a line in, one out.
The second argument are the apps it has, joined by commas.
"""
import json
import sys
import warnings

warnings.simplefilter("ignore")

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for tests",
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    INSTALLED_APPS=sys.argv[2].split(","),
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.utils.dateparse import parse_datetime
from django.utils import timezone


def rows(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [list(row) for row in cursor.fetchall()]


def migrate(q):
    call_command("migrate", verbosity=0, fake_initial=q.get("fake_initial", False))
    return True


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
    s = SessionStore(q["key"])
    return dict(s.items()) if s.exists(q["key"]) else None


def race(q):
    """Counts up an item, each time over what is there."""
    for i in range(q["n"]):
        s = SessionStore(q["key"])
        s["django%d" % i] = i
        s.save()
    return True


def parse(q):
    try:
        moment = parse_datetime(q["text"])
        if moment is None:
            return None
        if not timezone.is_aware(moment):
            moment = timezone.make_aware(moment, timezone.utc)
        return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return None


def expire_text(q):
    """What Django writes for a moment, as SQLite has it."""
    Session.objects.filter(session_key="date").delete()
    Session.objects.create(session_key="date", session_data="x", expire_date=parse_datetime(q["text"]))
    return rows("SELECT CAST(expire_date AS TEXT) FROM django_session WHERE session_key = 'date'")[0][0]


OPS = {
    "migrate": migrate,
    "save": save,
    "load": load,
    "race": race,
    "parse": parse,
    "expire_text": expire_text,
    "clear": lambda q: call_command("clearsessions"),
    "delete": lambda q: SessionStore(q["key"]).delete(),
    "rows": lambda q: rows(q["sql"]),
    "date": lambda q: Session.objects.get(session_key=q["key"]).expire_date.astimezone(timezone.utc).isoformat(timespec="microseconds"),
}

for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = {"result": OPS[question["op"]](question)}
    except Exception as e:
        answer = {"error": "%s: %s" % (type(e).__name__, e)}
    print(json.dumps(answer), flush=True)
