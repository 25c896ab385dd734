# make demo: the example street through everything, broker included; make run: the same with the microphone.
# make test: what CI runs. Each environment is made once and again when setup.cfg changes.

PYTHON ?= python3
VENV := .venv
TEST_VENV := .venv-test
# A local name would hide a broker that already listens at 1883.
DEMO_PORT ?= 18830
DEMO := --view --set mqtt.broker=embedded --set mqtt.port=$(DEMO_PORT)
PYTEST ?=

.DEFAULT_GOAL := help
.PHONY: help demo run install service no-service test check tests system-packages lock study dist docs check-pi check-service check-container clean

help:
	@echo "make demo         play the example street: the page, live view, alerts, an MQTT broker inside; profile sensitive"
	@echo "make run          the same with the microphone and the profile of config.yaml (quiet: fewer alarms than the demo)"
	@echo "make install      the environment $(VENV) alone: $(VENV)/bin/sound-monitor --help"
	@echo "make service      start at boot, restart when it fails (systemd); make no-service ends that"
	@echo "make test         lint, types and all tests, as CI runs them"
	@echo "make study        the small version of the study, unattended (SOUND_DATA names the recordings)"
	@echo "make dist         sdist, wheel and bill of materials in dist/, the same bytes for the same commit"
	@echo "make docs         the documentation as a site in build/site"
	@echo "make check-pi     follow the README in an emulated arm64 Debian (root, debootstrap, qemu-user-static)"
	@echo "make check-service  boot a Debian, install the service and see how systemd keeps it (root, debootstrap)"
	@echo "make check-container  follow the Containerfile without an engine, and run the result (root, debootstrap)"
	@echo "make lock         renew the versions that CI installs"
	@echo "make clean        delete what was made here"

# All five kinds of sound in the street are to be seen.
demo: $(VENV)/installed
	$(VENV)/bin/sound-monitor replay examples/street.wav --realtime --mqtt --states $(DEMO) --node street \
	  --set events.profile=sensitive --page --set web.write=true

run: $(VENV)/installed .system-audio
	$(VENV)/bin/sound-monitor run --set audio.wait=true $(DEMO) --set web.enabled=true --set web.write=true

install: $(VENV)/installed

service: $(VENV)/installed .system-audio
	packaging/install-service "$(CURDIR)/$(VENV)/bin/sound-monitor"

no-service:
	packaging/install-service --remove

test: system-packages check tests

check: $(TEST_VENV)/installed
	$(TEST_VENV)/bin/ruff check .
	$(TEST_VENV)/bin/ruff format --check .
	$(TEST_VENV)/bin/mypy

tests: $(TEST_VENV)/installed
	$(TEST_VENV)/bin/pytest -n auto --dist loadgroup $(PYTEST)

# mosquitto, a sound server with a virtual microphone, ffmpeg, a browser: the tests use the real ones.
system-packages:
	.ci/system-packages mosquitto mosquitto-clients pulseaudio pulseaudio-utils libportaudio2 libasound2-plugins ffmpeg \
	  chromium

.system-audio:
	.ci/system-packages libportaudio2

$(VENV)/installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import ensurepip, sys; assert sys.version_info >= (3, 10)' 2>/dev/null || \
	  { echo "needs Python 3.10 or newer with venv: sudo apt install python3-venv, or PYTHON=python3.x make …" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[broker,web]'
	touch $@

# The lock is for one version of Python; others take the newest that fit setup.cfg.
$(TEST_VENV)/installed: setup.cfg pyproject.toml $(wildcard .ci/lock-*.txt)
	$(PYTHON) -m venv $(TEST_VENV)
	lock=.ci/lock-$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])').txt; \
	$(TEST_VENV)/bin/pip install --quiet --disable-pip-version-check \
	  $$(test -f $$lock && echo "-c $$lock") -e '.[broker,web,training,test]'
	touch $@

lock:
	.ci/make-lock $(PYTHON)

dist:
	PYTHON=$(PYTHON) packaging/make-dist

DOCS_VENV := .venv-docs
docs: $(DOCS_VENV)/installed
	$(DOCS_VENV)/bin/mkdocs build

$(DOCS_VENV)/installed: setup.cfg
	$(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

check-pi: $(VENV)/installed
	packaging/check-pi

check-service:
	$(PYTHON) packaging/check_service.py

check-container:
	$(PYTHON) packaging/check_container.py

study: $(TEST_VENV)/installed
	PATH=$(CURDIR)/$(TEST_VENV)/bin:$$PATH training/study/small.sh

clean:
	rm -rf $(VENV) $(TEST_VENV) $(DOCS_VENV) dist .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
