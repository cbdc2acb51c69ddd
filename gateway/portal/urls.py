"""Addresses of the portal: the user's pages, as `portal:...`."""

from django.urls import path

from gateway.portal import consents, dev_mail, links, notices, reads
from gateway.portal.changes import disconnect, narrow, pause, renew, report, stop
from gateway.portal.connect import ask, bank, choice, confirm, done, duration, scopes
from gateway.portal.download import pages as download

app_name = "portal"

urlpatterns = [
    path("", consents.consent_list, name="consents"),
    path("consents/<uuid:consent_id>/", consents.consent_detail, name="consent"),
    path("consents/<uuid:consent_id>/stop/", stop.stop, name="stop"),
    path("consents/<uuid:consent_id>/narrow/", narrow.narrow, name="narrow"),
    path("consents/<uuid:consent_id>/pause/", pause.pause, name="pause"),
    path("consents/<uuid:consent_id>/resume/", pause.resume, name="resume"),
    path("consents/<uuid:consent_id>/renew/", renew.renew, name="renew_consent"),
    path("consents/<uuid:consent_id>/report/", report.report, name="report"),
    path("consents/<uuid:consent_id>/report/withdraw/", report.withdraw, name="withdraw_report"),
    path("stop-everything/", stop.stop_everything, name="stop_everything"),
    path("reads/", reads.read_list, name="reads"),
    path("reads.csv", reads.as_csv, name="reads_csv"),
    path("reads.json", reads.as_json, name="reads_json"),
    path("links/", links.link_list, name="links"),
    path("links/<uuid:connection_id>/renew/", links.renew, name="renew"),
    path("links/<uuid:connection_id>/disconnect/", disconnect.disconnect, name="disconnect"),
    path("notices/", notices.notice_list, name="notices"),
    path("download/", download.download, name="download"),
    path("download/<uuid:job_id>/sluice-data.zip", download.download_file, name="download_file"),
    path("dev/mail", dev_mail.dev_mail, name="dev_mail"),
    path("connect/<uuid:consent_id>/", ask.ask, name="connect"),
    path("connect/<uuid:consent_id>/bank/", bank.choose, name="bank"),
    path("connect/<uuid:consent_id>/bank/<slug:slug>/", bank.announce, name="redirect"),
    path("connect/<uuid:consent_id>/scopes/", scopes.choose, name="scopes"),
    path("connect/<uuid:consent_id>/duration/", duration.choose, name="duration"),
    path("connect/<uuid:consent_id>/accounts/", choice.choose, name="accounts"),
    path("connect/<uuid:consent_id>/confirm/", confirm.confirm, name="confirm"),
    path("connect/<uuid:consent_id>/refuse/", ask.refuse, name="refuse"),
    path("connect/<uuid:consent_id>/done/", done.done, name="done"),
    path("connect/<uuid:consent_id>/return/", done.return_to_platform, name="return"),
    path("banks/<slug:slug>/callback", bank.callback, name="callback"),
]
