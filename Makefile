# Everything a person types here; the work itself is in scripts/ and xtask/.

.PHONY: help build test demo bench conformance fuzz sanitize sanitize-thread miri docs tidy release reproduce supply-chain

help:
	@echo "make demo   build Perilune and sign a real Windows program with a key that never leaves the token"
	@echo "make test   check and test everything, as CI does"
	@echo "make build  build the module and the command, optimised (target/release)"
	@echo "make bench  compare the speed with SoftHSM2 and Kryoptic, and write docs/performance.md (half an hour)"
	@echo "make conformance  run the hostile cases on Perilune, SoftHSM2 and Kryoptic, and write docs/conformance.md (minutes)"
	@echo "make fuzz   fuzz everything that takes foreign bytes (SECONDS=60 each, TARGET=... for one; nightly Rust)"
	@echo "make sanitize  run the acceptance tests under AddressSanitizer (nightly Rust)"
	@echo "make sanitize-thread  run them, and the rooms' tests of threads, under ThreadSanitizer (nightly Rust)"
	@echo "make miri   run the tests of the edge's decoding under Miri (nightly Rust)"
	@echo "make release    what is delivered, with its lists of contents and checksums (target/dist)"
	@echo "make reproduce  build the commit twice, in two folders, and compare every byte"
	@echo "make supply-chain  who vouches for which crate of others, their licences, known advisories"
	@echo "make docs   write the generated documents and headers again"
	@echo "make tidy   check the rules of the house (arrows, unsafe, sizes, ...)"

build:
	cargo build --locked --release -p pkcs11-module -p perilune

test:
	@scripts/install-packages.sh test
	@cargo xtask test

demo:
	@examples/code-signing/run.sh

# With QUICK=1 a few operations in less than three minutes; the document stays as it is.
bench:
	@scripts/bench.sh $(if $(QUICK),--quick)

# With CASES="4.2 C_Sign" only the cases with one of these words in their title; the document stays as it is.
conformance:
	@scripts/conformance.sh $(CASES)

# The targets one after the other. The kept corpora are replayed by `make test`.
fuzz:
	@SECONDS_EACH="$(or $(SECONDS),60)" scripts/fuzz.sh $(TARGET)

# With TESTS="pins:: fork" only tests with one of these words in their name.
sanitize:
	@scripts/sanitize.sh address $(TESTS)

sanitize-thread:
	@scripts/sanitize.sh thread $(TESTS)

miri:
	@scripts/miri.sh $(TESTS)

docs:
	@cargo xtask docs

tidy:
	@cargo xtask tidy

release:
	@scripts/release.sh

reproduce:
	@scripts/release.sh --reproduce

supply-chain:
	@scripts/supply-chain.sh
