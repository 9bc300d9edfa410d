// Verifies transparency_log.json with Go's own transparency log packages, which share no code with stillwatch.
//
// Needs golang.org/x/mod (Debian: golang-go and golang-golang-x-mod-dev). Run it with
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run verify_transparency_log.go transparency_log.json
//
// It prints what was verified, or the first thing that does not hold and exits with 1.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type inclusion struct {
	Index, Size int64
	Hashes      []string
}

type consistency struct {
	Old, New int64
	Hashes   []string
}

type vectors struct {
	Leaves      int64
	Leaf        string
	Roots       map[string]string
	Inclusion   []inclusion
	Consistency []consistency
	LogKey      string `json:"log_key"`
	LogSigner   string `json:"log_signer"`
	WitnessKey  string `json:"witness_key"`
	WitnessTime uint64 `json:"witness_time"`
	Checkpoint  string
	Cosigned    string
}

// witness verifies cosignature/v1, as C2SP tlog-cosignature specifies it; x/mod has no verifier for it.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
	time uint64
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }
func (w *witness) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(sig)
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, msg)
	return time == w.time && ed25519.Verify(w.key, []byte(signed), sig[8:])
}

func newWitness(vkey string, time uint64) *witness {
	parts := strings.SplitN(vkey, "+", 3)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	check(err)
	if key[0] != 4 || len(key) != 33 {
		log.Fatalf("witness key: type %d of %d bytes", key[0], len(key))
	}
	digest := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	hash := binary.BigEndian.Uint32(digest[:])
	if fmt.Sprintf("%08x", hash) != parts[1] {
		log.Fatalf("witness key: id %s, computed %08x", parts[1], hash)
	}
	return &witness{parts[0], hash, key[1:], time}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func hashes(texts []string) []tlog.Hash {
	found := []tlog.Hash{}
	for _, text := range texts {
		hash, err := tlog.ParseHash(text)
		check(err)
		found = append(found, hash)
	}
	return found
}

func same(one, other []tlog.Hash) bool {
	if len(one) != len(other) {
		return false
	}
	for place := range one {
		if one[place] != other[place] {
			return false
		}
	}
	return true
}

func verifyTrees(v vectors) (int, int) {
	stored := []tlog.Hash{}
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for place, index := range indexes {
			found[place] = stored[index]
		}
		return found, nil
	})
	leaf := func(number int64) []byte { return []byte(fmt.Sprintf(v.Leaf, number)) }
	for number := int64(0); number < v.Leaves; number++ {
		more, err := tlog.StoredHashes(number, leaf(number), reader)
		check(err)
		stored = append(stored, more...)
	}
	root := func(size int64) tlog.Hash {
		given, err := tlog.ParseHash(v.Roots[strconv.FormatInt(size, 10)])
		check(err)
		computed, err := tlog.TreeHash(size, reader)
		check(err)
		if given != computed {
			log.Fatalf("root of %d: %v, computed %v", size, given, computed)
		}
		return given
	}
	refused := 0
	for _, one := range v.Inclusion {
		proof := hashes(one.Hashes)
		check(tlog.CheckRecord(proof, one.Size, root(one.Size), one.Index, tlog.RecordHash(leaf(one.Index))))
		own, err := tlog.ProveRecord(one.Size, one.Index, reader)
		check(err)
		if !same(own, proof) {
			log.Fatalf("inclusion of %d in %d: not the proof that Go makes", one.Index, one.Size)
		}
		if tlog.CheckRecord(proof, one.Size, root(one.Size), one.Index, tlog.RecordHash([]byte("other"))) == nil {
			log.Fatalf("inclusion of %d in %d: holds for another leaf", one.Index, one.Size)
		}
		refused++
	}
	for _, one := range v.Consistency {
		proof := hashes(one.Hashes)
		check(tlog.CheckTree(proof, one.New, root(one.New), one.Old, root(one.Old)))
		own, err := tlog.ProveTree(one.New, one.Old, reader)
		check(err)
		if !same(own, proof) {
			log.Fatalf("consistency of %d and %d: not the proof that Go makes", one.Old, one.New)
		}
		if tlog.CheckTree(proof, one.New, root(one.New), one.Old, tlog.RecordHash([]byte("other"))) == nil {
			log.Fatalf("consistency of %d and %d: holds for another root", one.Old, one.New)
		}
		refused++
	}
	return len(v.Inclusion) + len(v.Consistency), refused
}

func verifyNotes(v vectors) int {
	verifier, err := note.NewVerifier(v.LogKey)
	check(err)
	opened, err := note.Open([]byte(v.Cosigned), note.VerifierList(verifier, newWitness(v.WitnessKey, v.WitnessTime)))
	check(err)
	if len(opened.Sigs) != 2 || len(opened.UnverifiedSigs) != 0 {
		log.Fatalf("cosigned checkpoint: %d verified, %d not", len(opened.Sigs), len(opened.UnverifiedSigs))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[1] != strconv.FormatInt(v.Leaves, 10) || lines[2] != v.Roots[lines[1]] {
		log.Fatalf("checkpoint: %q", opened.Text)
	}
	signer, err := note.NewSigner(v.LogSigner)
	check(err)
	signed, err := note.Sign(&note.Note{Text: opened.Text}, signer)
	check(err)
	if !bytes.Equal(signed, []byte(v.Checkpoint)) {
		log.Fatalf("checkpoint: not the note that Go signs")
	}
	forged := strings.Replace(v.Cosigned, "\n"+lines[1]+"\n", "\n"+lines[1]+"0\n", 1)
	if _, err := note.Open([]byte(forged), note.VerifierList(verifier)); err == nil {
		log.Fatal("checkpoint: another size is accepted")
	}
	return len(opened.Sigs)
}

func main() {
	log.SetFlags(0)
	content, err := os.ReadFile(os.Args[1])
	check(err)
	var v vectors
	check(json.Unmarshal(content, &v))
	proofs, refused := verifyTrees(v)
	signatures := verifyNotes(v)
	fmt.Printf("verified %d roots, %d proofs, %d signatures; refused %d forgeries\n", len(v.Roots), proofs, signatures, refused)
}
