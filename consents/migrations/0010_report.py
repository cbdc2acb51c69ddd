import consents.states
import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("consents", "0009_revocation"),
    ]

    operations = [
        migrations.CreateModel(
            name='Report',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('user_id', models.UUIDField()),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('code', models.CharField(choices=[(consents.states.ReportCode['NOT_ME'], consents.states.ReportCode['NOT_ME']), (consents.states.ReportCode['NOT_ASKED_FOR'], consents.states.ReportCode['NOT_ASKED_FOR']), (consents.states.ReportCode['TOO_OFTEN'], consents.states.ReportCode['TOO_OFTEN']), (consents.states.ReportCode['TOO_MUCH'], consents.states.ReportCode['TOO_MUCH'])], max_length=30)),
                ('reported_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
                ('outcome', models.CharField(blank=True, max_length=30)),
            ],
        ),
        migrations.AddField(
            model_name='report',
            name='consent',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='consents.consent'),
        ),
        migrations.AddIndex(
            model_name='report',
            index=models.Index(condition=models.Q(('closed_at', None)), fields=['reported_at'], name='report_open'),
        ),
    ]
