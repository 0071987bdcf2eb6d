from django.http import HttpResponse
from django.shortcuts import redirect


def welcome(request):
    if not request.is_secure():
        url = request.build_absolute_uri()
        return redirect(url.replace("http://", "https://"))
    response = HttpResponse("welcome")
    response.set_cookie("sessionid", "abc123", secure=True)
    return response
