// Command xmod writes and checks small logs with golang.org/x/mod's own sumdb/note and sumdb/tlog: an
// implementation that shares nothing with Holdfast. How it is called: ../README.md.
//
//	xmod write DIR    the log that lies in log/: 600 entries, always the same bytes
//	xmod check DIR    a log of that form, whoever has written it
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	origin = "xmod.example/log"
	seen   = 1_800_000_000
	size   = 600
	height = 8
)

// Inclusion and Consistency are proofs as proofs.json has them; hashes are in base64.
type Inclusion struct {
	Index int64
	Size  int64
	Proof []tlog.Hash
}

type Consistency struct {
	Old   int64
	New   int64
	Proof []tlog.Hash
}

// Proofs is proofs.json. Roots are those of every size that a proof names.
type Proofs struct {
	Roots       map[int64]tlog.Hash
	Inclusion   []Inclusion
	Consistency []Consistency
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func put(directory, name string, data []byte) {
	path := filepath.Join(directory, filepath.FromSlash(name))
	must(os.MkdirAll(filepath.Dir(path), 0o755))
	must(os.WriteFile(path, data, 0o644))
}

func get(directory, name string) []byte {
	data, err := os.ReadFile(filepath.Join(directory, filepath.FromSlash(name)))
	must(err)
	return data
}

// witness makes and checks C2SP cosignatures (tlog-cosignature, Ed25519), which x/mod does not know, for
// x/mod's Sign and Open.
type witness struct {
	name    string
	public  ed25519.PublicKey
	private ed25519.PrivateKey
}

func (w witness) Name() string  { return w.name }
func (w witness) typed() []byte { return append([]byte{4}, w.public...) }
func (w witness) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(w.name+"\n"), w.typed()...))
	return binary.BigEndian.Uint32(sum[:])
}

func (w witness) message(text []byte, time uint64) []byte {
	return append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", time)), text...)
}

func (w witness) Sign(text []byte) ([]byte, error) {
	signature := binary.BigEndian.AppendUint64(nil, seen)
	return append(signature, ed25519.Sign(w.private, w.message(text, seen))...), nil
}

func (w witness) Verify(text, signature []byte) bool {
	return len(signature) == 72 &&
		ed25519.Verify(w.public, w.message(text, binary.BigEndian.Uint64(signature)), signature[8:])
}

func (w witness) String() string {
	return fmt.Sprintf("%s+%08x+%s", w.name, w.KeyHash(), base64.StdEncoding.EncodeToString(w.typed()))
}

func parseWitness(text string) witness {
	parts := strings.SplitN(strings.TrimSpace(text), "+", 3)
	typed, err := base64.StdEncoding.DecodeString(parts[2])
	must(err)
	parsed := witness{name: parts[0], public: typed[1:]}
	if parsed.String() != strings.TrimSpace(text) {
		log.Fatal("not a witness's key")
	}
	return parsed
}

// entry has every length that matters for its two bytes in a bundle: none, one, and more than 255.
func entry(index int64) []byte {
	switch index {
	case 7:
		return nil
	case 8:
		return []byte{0}
	case 300:
		return bytes.Repeat([]byte("long "), 60)
	}
	return []byte(fmt.Sprintf("entry %d\n", index))
}

// path is x/mod's path of a tile without its height, which C2SP's paths do not name.
func path(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
}

func checkpointText(root tlog.Hash) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)
}

func write(directory string) {
	var hashes []tlog.Hash
	stored := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = hashes[index]
		}
		return found, nil
	})
	var bundle []byte
	for index := int64(0); index < size; index++ {
		data := entry(index)
		more, err := tlog.StoredHashes(index, data, stored)
		must(err)
		hashes = append(hashes, more...)
		bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(data)))
		bundle = append(bundle, data...)
		if width := index%256 + 1; width == 256 || index == size-1 {
			name := path(tlog.Tile{H: height, L: -1, N: index / 256, W: int(width)})
			put(directory, strings.Replace(name, "tile/data/", "tile/entries/", 1), bundle)
			bundle = nil
		}
	}
	for _, tile := range tlog.NewTiles(height, 0, size) {
		if tile.W < 256 && tile.N*256+int64(tile.W) != size>>(height*tile.L) {
			continue // x/mod also names the partial tiles of every smaller tree
		}
		data, err := tlog.ReadTileData(tile, stored)
		must(err)
		put(directory, path(tile), data)
	}

	secret, public, err := note.GenerateKey(bytes.NewReader([]byte("a key of a test, known to all...")), origin)
	must(err)
	signer, err := note.NewSigner(secret)
	must(err)
	root, err := tlog.TreeHash(size, stored)
	must(err)
	private := ed25519.NewKeyFromSeed([]byte("a key of a test, of its witness."))
	cosigner := witness{"xmod.example/witness", private.Public().(ed25519.PublicKey), private}
	signed, err := note.Sign(&note.Note{Text: checkpointText(root)}, signer, cosigner)
	must(err)
	put(directory, "checkpoint", signed)
	put(directory, "key", []byte(public+"\n"))
	put(directory, "witness", []byte(cosigner.String()+"\n"))

	proofs := Proofs{Roots: map[int64]tlog.Hash{}}
	for _, pair := range [][2]int64{{0, 600}, {7, 600}, {8, 600}, {255, 256}, {255, 600}, {256, 257}, {256, 600},
		{300, 511}, {511, 600}, {512, 600}, {598, 600}, {599, 600}, {0, 1}, {4, 7}, {6, 7}} {
		proof, err := tlog.ProveRecord(pair[1], pair[0], stored)
		must(err)
		proofs.Inclusion = append(proofs.Inclusion, Inclusion{pair[0], pair[1], proof})
	}
	for _, pair := range [][2]int64{{1, 600}, {2, 3}, {3, 7}, {4, 7}, {6, 8}, {255, 256}, {256, 257}, {256, 600},
		{257, 511}, {511, 512}, {511, 600}, {512, 600}, {599, 600}, {600, 600}} {
		proof, err := tlog.ProveTree(pair[1], pair[0], stored)
		must(err)
		proofs.Consistency = append(proofs.Consistency, Consistency{pair[0], pair[1], proof})
	}
	remember := func(size int64) {
		proofs.Roots[size], err = tlog.TreeHash(size, stored)
		must(err)
	}
	for _, each := range proofs.Inclusion {
		remember(each.Size)
	}
	for _, each := range proofs.Consistency {
		remember(each.Old)
		remember(each.New)
	}
	data, err := json.Marshal(proofs)
	must(err)
	put(directory, "proofs.json", append(data, '\n'))
}

// tileReader reads a log's tiles by their C2SP paths.
type tileReader struct{ directory string }

func (tileReader) Height() int                         { return height }
func (tileReader) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (reader tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		found = append(found, get(reader.directory, path(tile)))
	}
	return found, nil
}

func readEntries(directory string, size int64) [][]byte {
	var entries [][]byte
	for start := int64(0); start < size; start += 256 {
		width := size - start
		if width > 256 {
			width = 256
		}
		name := path(tlog.Tile{H: height, L: -1, N: start / 256, W: int(width)})
		data := get(directory, strings.Replace(name, "tile/data/", "tile/entries/", 1))
		for len(data) > 0 {
			length := binary.BigEndian.Uint16(data)
			entries = append(entries, data[2:2+length])
			data = data[2+length:]
		}
	}
	return entries
}

func check(directory string) {
	verifier, err := note.NewVerifier(strings.TrimSpace(string(get(directory, "key"))))
	must(err)
	cosigner := parseWitness(string(get(directory, "witness")))
	opened, err := note.Open(get(directory, "checkpoint"), note.VerifierList(verifier, cosigner))
	must(err)
	if len(opened.Sigs) != 2 {
		log.Fatal("not signed by the log and its witness")
	}
	lines := strings.Split(opened.Text, "\n")
	var total int64
	if _, err := fmt.Sscanf(lines[1], "%d", &total); err != nil || lines[0] != verifier.Name() {
		log.Fatal("a checkpoint of another log")
	}
	root, err := tlog.ParseHash(lines[2])
	must(err)

	// Reads the tiles, and authenticates each of them against the checkpoint's root.
	tree := tlog.Tree{N: total, Hash: root}
	reader := tlog.TileHashReader(tree, tileReader{directory})
	entries := readEntries(directory, total)
	if int64(len(entries)) != total {
		log.Fatal("another number of entries")
	}
	var indexes []int64
	for index := range entries {
		indexes = append(indexes, tlog.StoredHashIndex(0, int64(index)))
	}
	hashes, err := reader.ReadHashes(indexes)
	must(err)
	for index, hash := range hashes {
		if hash != tlog.RecordHash(entries[index]) {
			log.Fatalf("entry %d is not what the tree says", index)
		}
	}

	var proofs Proofs
	must(json.Unmarshal(get(directory, "proofs.json"), &proofs))
	for size, expected := range proofs.Roots {
		found, err := tlog.TreeHash(size, reader)
		must(err)
		if found != expected {
			must(errors.New("another root"))
		}
	}
	for _, each := range proofs.Inclusion {
		must(tlog.CheckRecord(each.Proof, each.Size, proofs.Roots[each.Size], each.Index,
			tlog.RecordHash(entries[each.Index])))
	}
	for _, each := range proofs.Consistency {
		must(tlog.CheckTree(each.Proof, each.New, proofs.Roots[each.New], each.Old, proofs.Roots[each.Old]))
	}
	fmt.Printf("%s: %d entries, %d inclusion proofs, %d consistency proofs: accepted\n",
		lines[0], total, len(proofs.Inclusion), len(proofs.Consistency))
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: xmod write|check DIR")
	}
	switch os.Args[1] {
	case "write":
		write(os.Args[2])
	case "check":
		check(os.Args[2])
	}
}
