// Verifies a case bundle with Go's own transparency log packages, which share no code with stillwatch: the signatures of manifest
// and checkpoints, the inclusion of every record, the consistency of all checkpoints, and the digest of every file.
//
// Needs golang.org/x/mod (Debian: golang-go and golang-golang-x-mod-dev). Run it with
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run verify_case_bundle.go BUNDLE LOG_KEY
//
// It prints what was verified, or the first thing that does not hold and exits with 1.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type entry struct {
	Index        int64
	Actor        string
	Kind         string
	RecordedUs   int64  `json:"recorded_us"`
	RecordDigest string `json:"record_digest"`
	Proof        []string
}

type manifest struct {
	Files []struct {
		Path, Sha256 string
		Size         int
	}
}

type tree struct {
	size int64
	root tlog.Hash
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func read(parts ...string) []byte {
	content, err := os.ReadFile(filepath.Join(parts...))
	check(err)
	return content
}

func hashes(texts []string) []tlog.Hash {
	found := []tlog.Hash{}
	for _, text := range texts {
		var hash tlog.Hash
		content, err := hex.DecodeString(text)
		check(err)
		copy(hash[:], content)
		found = append(found, hash)
	}
	return found
}

func encoded(value interface{}) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	check(encoder.Encode(value))
	return strings.TrimSuffix(out.String(), "\n")
}

func checkpoints(bundle string, known note.Verifiers, origin string) []tree {
	names, err := filepath.Glob(filepath.Join(bundle, "ledger", "checkpoints", "*.note"))
	check(err)
	sort.Strings(names)
	found := []tree{}
	for _, name := range names {
		opened, err := note.Open(read(name), known)
		check(err)
		lines := strings.Split(opened.Text, "\n")
		size, err := strconv.ParseInt(lines[1], 10, 64)
		check(err)
		content, err := base64.StdEncoding.DecodeString(lines[2])
		check(err)
		if lines[0] != origin || len(content) != tlog.HashSize {
			log.Fatalf("%s: origin or root of another form", name)
		}
		var root tlog.Hash
		copy(root[:], content)
		found = append(found, tree{size, root})
	}
	return found
}

func main() {
	bundle, key := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(key)
	check(err)
	known := note.VerifierList(verifier)

	content := read(bundle, "manifest.json")
	signed, err := note.Open(read(bundle, "manifest.note"), known)
	check(err)
	if !strings.HasSuffix(signed.Text, fmt.Sprintf("\n%x\n", sha256.Sum256(content))) {
		log.Fatal("manifest.note is for another manifest")
	}
	var listed manifest
	check(json.Unmarshal(content, &listed))
	for _, file := range listed.Files {
		if fmt.Sprintf("%x", sha256.Sum256(read(bundle, file.Path))) != file.Sha256 {
			log.Fatalf("%s is another file", file.Path)
		}
	}

	trees := checkpoints(bundle, known, verifier.Name())
	last := trees[len(trees)-1]
	proofs := map[string][]string{}
	check(json.Unmarshal(read(bundle, "ledger", "consistency.json"), &proofs))
	for _, one := range trees[:len(trees)-1] {
		proof := hashes(proofs[strconv.FormatInt(one.size, 10)])
		check(tlog.CheckTree(proof, last.size, last.root, one.size, one.root))
	}

	names, err := filepath.Glob(filepath.Join(bundle, "records", "*.json"))
	check(err)
	for _, name := range names {
		var one entry
		check(json.Unmarshal(read(name), &one))
		leaf := fmt.Sprintf(`{"actor":%s,"format":"ledger-entry/v1","kind":%s,"record_digest":%s,"recorded_us":%d}`,
			encoded(one.Actor), encoded(one.Kind), encoded(one.RecordDigest), one.RecordedUs)
		check(tlog.CheckRecord(hashes(one.Proof), last.size, last.root, one.Index, tlog.RecordHash([]byte(leaf))))
		if tlog.CheckRecord(hashes(one.Proof), last.size, last.root, one.Index, tlog.RecordHash([]byte(leaf+" "))) == nil {
			log.Fatalf("%s: holds for another leaf", name)
		}
	}
	fmt.Printf("verified %d files, %d checkpoints, %d records\n", len(listed.Files), len(trees), len(names))
}
