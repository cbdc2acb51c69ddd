import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('oauth', '0001_initial'),
        ('oauth', '0002_request_count'),
    ]

    initial = True

    dependencies = [
        ('consents', '0001_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuthorizationRequest',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('consent', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='consents.consent')),
                ('redirect_uri', models.TextField()),
                ('state', models.CharField(blank=True, max_length=1024)),
                ('code_challenge', models.CharField(max_length=128)),
                ('resource', models.JSONField(default=list)),
                ('created_at', models.DateTimeField()),
                ('answered_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='RequestCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=100, unique=True)),
                ('window_at', models.DateTimeField()),
                ('calls', models.PositiveBigIntegerField(default=0)),
            ],
            options={
                'indexes': [models.Index(fields=['window_at'], name='request_count_age')],
            },
        ),
    ]
