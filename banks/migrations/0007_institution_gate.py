import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0006_institution_limits'),
    ]

    operations = [
        migrations.CreateModel(
            name='InstitutionGate',
            fields=[
                ('institution', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='banks.institution')),
                ('bucket_thousandths', models.BigIntegerField()),
                ('bucket_at', models.DateTimeField()),
                ('breaker', models.CharField(choices=[('CLOSED', 'Closed'), ('OPEN', 'Open'), ('HALF_OPEN', 'Half Open')], default='CLOSED', max_length=10)),
                ('breaker_until', models.DateTimeField(null=True)),
                ('probe_job_id', models.UUIDField(null=True)),
                ('probe_until', models.DateTimeField(null=True)),
                ('opened_count', models.PositiveIntegerField(default=0)),
                ('window_at', models.DateTimeField()),
                ('calls', models.PositiveIntegerField(default=0)),
                ('failures', models.PositiveIntegerField(default=0)),
            ],
        ),
    ]
