# make demo: set up, build, run the main job on the project's sample data.
# make test: set up, build, run all tests. Both work on a fresh Debian machine that has Swift.

.PHONY: help setup build demo test debug-build environments unit-test rank-test mpich-test interop-test readme-test slurm-test nightly sanitize lint format install clean

PYTHON_ENVIRONMENT := .venv
# Tools that need other versions than the rest.
MORE_ENVIRONMENTS := .venv-zarr2 .venv-anemoi
SWIFT_FLAGS :=
JIGSAW := .build/release/jigsaw
PREFIX := /usr/local
# Suites that `make sanitize` runs: those of kernels and of libraries that read files.
SANITIZED := ^(TensorsTests|StoresTests|FuzzTests|GeometryTests|ExecutionTests|CommunicationTests)\.

help:
	@echo "make demo     set up, build, and run the main job: statistics, training, forecast, verification, report"
	@echo "make test     set up, build, and run all tests"
	@echo "make build    build .build/release/jigsaw"
	@echo "make install  copy it to PREFIX/bin (default /usr/local); it needs no Swift where it runs"
	@echo "make slurm-test  train under a Slurm of its own on this machine, as root: ten minutes"
	@echo "make nightly  fuzzing by the million, system calls that fail, and make sanitize: two hours"
	@echo "make sanitize unit tests of the C parts with checks of memory and undefined behaviour"
	@echo "make lint     check formatting"
	@echo "make clean    remove what was built (not runs/)"

setup:
	@Scripts/setup.sh build

# Swift's own libraries are linked in, so that the program runs on machines without Swift.
build: setup
	swift build -c release --static-swift-stdlib --product jigsaw $(SWIFT_FLAGS)

install: build
	install -D -m 755 $(JIGSAW) $(DESTDIR)$(PREFIX)/bin/jigsaw

demo: build
	@Scripts/demo.sh $(JIGSAW)

# What leaves a core idle runs beside something else.
test: lint setup
	@Scripts/setup.sh test
	@$(MAKE) --jobs=2 debug-build environments
	@$(MAKE) --jobs=2 unit-test build
	@$(MAKE) --jobs=2 rank-test mpich-test
	@$(MAKE) interop-test readme-test
	@if [ -n "$$JIGSAW_SLURM_TEST" ]; then $(MAKE) slurm-test; fi
	@echo "all tests passed"

debug-build: setup
	swift build --build-tests $(SWIFT_FLAGS)

# Started without SwiftPM, which would lock the folder of builds meanwhile. HDF5 locks the files it writes, and a program
# that another test starts at this moment inherits the lock for some milliseconds: a file just written can't be opened then.
unit-test: debug-build
	HDF5_USE_FILE_LOCKING=FALSE .build/debug/JigsawPackageTests.xctest --testing-library swift-testing

# Ranks as processes, over the MPI at hand.
rank-test: debug-build
	@Scripts/setup.sh test
	@Scripts/rank-test.sh .build/debug/rank-checks .build/debug/jigsaw

# The same with the other MPI library.
mpich-test: debug-build
	@Scripts/setup.sh test
	@Scripts/mpich-test.sh

# The program's files opened, checked and recomputed by the reference tools of its users.
interop-test: debug-build build environments
	$(PYTHON_ENVIRONMENT)/bin/python -m pytest -q --numprocesses 2 --dist loadgroup Tests/Interop

# Under a Slurm of its own on this machine, as root; 'make test' runs it where JIGSAW_SLURM_TEST is set.
slurm-test: build
	@slurm/test.sh $(JIGSAW)

# Every command of README.md, the demo among them.
readme-test: build
	@Scripts/run-readme.sh

environments: $(PYTHON_ENVIRONMENT)/ready $(MORE_ENVIRONMENTS:=/ready)

$(PYTHON_ENVIRONMENT)/ready: Tests/Interop/requirements.lock
	@Scripts/setup.sh test
	python3 -m venv $(PYTHON_ENVIRONMENT)
	$(PYTHON_ENVIRONMENT)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r Tests/Interop/requirements.lock
	@touch $@

.venv-%/ready: Tests/Interop/requirements-%.lock
	@Scripts/setup.sh test
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Takes two hours: damaged stores and documents by the million, and system calls that fail.
nightly: build environments sanitize
	OUT=.build/nightly Scripts/fuzz.sh
	$(PYTHON_ENVIRONMENT)/bin/python Scripts/faults/run.py $(JIGSAW) 50 "$$(date +%j)"

# Memory and undefined behaviour of the C parts, checked by the compiler while the unit tests that call them run. Memory that the
# system's libraries keep until the end is no fault of theirs.
sanitize: setup
	swift build --build-tests --sanitize=address -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined \
	  --scratch-path .build-asan $(SWIFT_FLAGS)
	ASAN_OPTIONS=detect_leaks=0:malloc_context_size=3 HDF5_USE_FILE_LOCKING=FALSE .build-asan/debug/JigsawPackageTests.xctest \
	  --testing-library swift-testing --filter '$(SANITIZED)'

lint:
	swift format lint --strict --recursive Sources Tests Package.swift

format:
	swift format --in-place --recursive Sources Tests Package.swift

clean:
	rm -rf .build .build-asan $(PYTHON_ENVIRONMENT) $(MORE_ENVIRONMENTS)
