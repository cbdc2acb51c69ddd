import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0016_upstream_ending'),
    ]

    operations = [
        migrations.CreateModel(
            name='RefreshRequest',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('consent_id', models.UUIDField()),
                ('platform_id', models.UUIDField()),
                ('key_digest', models.CharField(max_length=64, null=True)),
                ('request_digest', models.CharField(max_length=64)),
                ('presence', models.CharField(max_length=10)),
                ('parts', models.JSONField(default=list)),
                ('created_at', models.DateTimeField()),
            ],
        ),
        migrations.AddIndex(
            model_name='refreshrequest',
            index=models.Index(fields=['created_at'], name='refresh_request_old'),
        ),
        migrations.AddConstraint(
            model_name='refreshrequest',
            constraint=models.UniqueConstraint(fields=('consent_id', 'key_digest'), name='refresh_request_once_per_key'),
        ),
    ]
