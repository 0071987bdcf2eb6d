"""Half of a site, below /django/: the other half is Go's, on the same accounts and sessions."""
import base64
import json
import time
import zlib

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth import views
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore as Database
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template import engines
from django.urls import path

USER, PASSWORD = "alice", "correct horse é&=+"

for name in USER, "bob":
    if not User.objects.filter(username=name).exists():
        User.objects.create_user(name, password=PASSWORD)

# Values that change when they are read and written again carelessly.
ODD = {
    "float": 1.0, "exponent": 1e16, "small": 1e-7, "zero": -0.0,
    "big": 123456789012345678901234567890, "text": "é😀</script>&\u2028\x7f\"\\/",
    "nested": {"z": 1, "a": {"y": [1, 2.0, None, True, {}], "b": []}}, "": "", "é": 1,
    "nan": float("nan"), "infinity": float("inf"), "negative": float("-inf"),
}


def say(text):
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["X-Text"] = text
    return response


def page(request, markup, context={}):
    return HttpResponse("<!doctype html>" + engines["django"].from_string(markup).render(context, request))


class Login(views.LoginView):
    def render_to_response(self, context, **kwargs):
        return page(self.request, "<form method=post>{% csrf_token %}{{ form.as_p }}<button>Log in</button></form>", context)


def password(request):
    form = PasswordChangeForm(request.user, request.POST or None)
    if form.is_valid():
        form.save()
        update_session_auth_hash(request, form.user)
        return redirect("/django/account")
    return page(request, "<form method=post>{% csrf_token %}{{ form.as_p }}<button>Change</button></form>", {"form": form})


def form(request):
    """A form whose action is the query's, and what becomes of one that was sent here."""
    if request.method == "POST":
        return say("django got " + request.POST["text"])
    return page(request, "<form method=post action='{{ request.GET.to }}'>{% csrf_token %}<input name=text><button>Send</button></form>")


def put(request):
    request.session[request.GET["key"]] = json.loads(request.GET["value"])
    return say("put")


def add(request):
    """Counts an item up, with time for others between reading and saving."""
    key = request.GET["key"]
    have = request.session.get(key, 0)
    time.sleep(float(request.GET.get("pause", 0)))
    request.session[key] = have + 1
    return say(str(have + 1))


def items(request):
    return say(json.dumps({k: v for k, v in request.session.items() if k[0] != "_"}, separators=(",", ":")))


def stored(request):
    """The JSON that is stored, to the byte, as the engine has it."""
    key = request.session.session_key
    engine = settings.SESSION_ENGINE.rpartition(".")[2]
    if engine == "db":
        signed = Database.get_model_class().objects.get(session_key=key).session_data
    elif engine == "file":
        with open(request.session._key_to_file()) as f:
            signed = f.read()
    else:
        signed = request.COOKIES[settings.SESSION_COOKIE_NAME]
    value = signed.rsplit(":", 2)[0]
    data = base64.urlsafe_b64decode(value.lstrip(".") + "=" * (-len(value.lstrip(".")) % 4))
    return say((zlib.decompress(data) if value[0] == "." else data).decode("ascii"))


def odd(request):
    request.session.update(ODD)
    return say("odd")


def odd_is_the_same(request):
    return say(str(repr({k: request.session[k] for k in ODD}) == repr(ODD)))


def sign(request):
    response = say("signed")
    response.set_signed_cookie("theme", "dark: é", salt="shop")
    return response


def message(request):
    messages.success(request, "saved: é")
    return say("message")


def read_messages(request):
    return say(json.dumps([str(m) for m in messages.get_messages(request)]))


urlpatterns = [path("django/" + name, view) for name, view in {
    "login": Login.as_view(), "logout": views.LogoutView.as_view(next_page="/django/account"), "password": password,
    "account": lambda r: say(r.user.get_username() or "stranger"),
    "form": form, "put": put, "add": add, "items": items, "stored": stored, "odd": odd, "odd-is-the-same": odd_is_the_same,
    "expire": lambda r: (r.session.set_expiry(int(r.GET["seconds"])), say("expires"))[1],
    "sign": sign, "signed": lambda r: say(json.dumps(r.get_signed_cookie("theme", default="none", salt="shop"))),
    "message": message, "messages": read_messages,
}.items()]
