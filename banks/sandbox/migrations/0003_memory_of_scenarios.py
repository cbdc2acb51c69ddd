from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sandbox', '0002_a_clock_that_can_be_moved'),
    ]

    operations = [
        migrations.CreateModel(
            name='Memory',
            fields=[
                ('user', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('began_on', models.DateField(null=True)),
                ('stage', models.PositiveSmallIntegerField(null=True)),
                ('seconds', models.FloatField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user', models.CharField(max_length=40)),
                ('consent_id', models.CharField(blank=True, max_length=128)),
                ('what', models.CharField(max_length=120)),
                ('count', models.PositiveIntegerField(default=0)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('user', 'consent_id', 'what'), name='one_tally_for_each')],
            },
        ),
    ]
