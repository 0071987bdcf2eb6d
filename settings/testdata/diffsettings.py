"""Asks a real Django about settings modules, one JSON object a line.

{"code": "DEBUG = False", "all": true, "output": "hash"} is the settings.py of a new project with the
code behind it. The answer has "text", what diffsettings prints, with every secret key of the new
project as it was made; "ids", what "check --deploy" says; "error", when either fails; and
"django", the version.
"""
import importlib
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"

import django
from django.conf import Settings, settings
from django.core import checks
from django.core.management import call_command
from django.core.management.commands.diffsettings import Command

project = tempfile.TemporaryDirectory()
os.chdir(project.name)
call_command("startproject", "shop", ".")
sys.path.insert(0, project.name)
with open("shop/settings.py") as f:
    new = f.read().replace("Path(__file__).resolve().parent.parent", "Path('/srv/shop')")
with open("shop/settings.py", "w") as f:
    f.write(new)
django.setup()

for line in sys.stdin:
    question = json.loads(line)
    with open("shop/settings.py", "w") as f:
        f.write(new + "\n" + question.get("code", ""))
    for name in ("shop.settings", "shop"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    answer = {}
    try:
        settings._wrapped = Settings("shop.settings")
        text = Command().handle(all=question.get("all", True), output=question.get("output", "hash"), default=None)
        answer = {"text": text + "\n"}
        found = checks.run_checks(
            tags=[checks.Tags.security, checks.Tags.compatibility], include_deployment_checks=True
        )
        answer["ids"] = sorted(m.id for m in found)
    except Exception as e:
        answer["error"] = "%s: %s" % (type(e).__name__, e)
    answer["django"] = django.get_version()
    print(json.dumps(answer), flush=True)
