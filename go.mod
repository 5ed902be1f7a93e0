module atoll

go 1.26.0

require (
	filippo.io/age v1.3.2 // sealing to recipients, hybrid post-quantum by default
	github.com/btcsuite/btcd/btcutil v1.2.0 // bech32 alone: age's key texts to and from raw bytes, seeds with a checksum
	github.com/fxamacker/cbor/v2 v2.10.0 // deterministic CBOR with strict decoding limits
	github.com/rogpeppe/go-internal v1.16.0 // testscript: the CLI told as stories (tests only)
	github.com/spf13/cobra v1.10.2 // commands, help and shell completion
	github.com/veraison/go-cose v1.3.0 // COSE_Sign1: signature structure and canonical envelope
	golang.org/x/crypto v0.58.0 // ChaCha20-Poly1305, which the standard library lacks
	golang.org/x/mod v0.42.0 // RFC 6962 hashes, proofs and signed notes, as the Go checksum database uses them
)

require (
	filippo.io/hpke v0.4.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
)
