package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/node/source"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/xuri/excelize/v2"
)

// sheets writes a workbook with a sheet for each file of comma-separated texts,
// whose numbers are numbers: sheets FILE SHEET=CSV...
func sheets(ts *testscript.TestScript, _ bool, args []string) {
	book := excelize.NewFile()
	defer book.Close()
	for _, a := range args[1:] {
		name, from, _ := strings.Cut(a, "=")
		rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(from))).ReadAll()
		ts.Check(err)
		_, err = book.NewSheet(name)
		ts.Check(err)
		for i, row := range rows {
			cell, err := excelize.CoordinatesToCellName(1, i+1)
			ts.Check(err)
			values := make([]any, len(row))
			for j, text := range row {
				values[j] = text
				var n json.Number
				if json.Unmarshal([]byte(text), &n) == nil && len(text) < 15 {
					number, err := n.Float64()
					ts.Check(err)
					values[j] = number
				}
			}
			ts.Check(book.SetSheetRow(name, cell, &values))
		}
	}
	ts.Check(book.DeleteSheet("Sheet1"))
	ts.Check(book.SaveAs(ts.MkAbs(args[0])))
}

// sqlite makes a database of today of files: sqlite FILE TABLE=CSV...
func sqlite(ts *testscript.TestScript, _ bool, args []string) {
	var tables []source.Imported
	for _, a := range args[1:] {
		name, from, _ := strings.Cut(a, "=")
		rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(from))).ReadAll()
		ts.Check(err)
		tables = append(tables, source.Imported{Name: name, Columns: rows[0], Rows: rows[1:]})
	}
	ts.Check(source.Import(context.Background(), ts.MkAbs(args[0]), tables, consent.DayOf(uint64(time.Now().UnixMilli()), 480)))
}

// service serves a register over TLS on loopback, to whoever has the
// certificate in client.pem and the key in service.secret, and sets a variable to its
// address: service NAME FILE. The file has a list of rows for each code; ca.pem
// is the authority that vouches for the service.
func service(ts *testscript.TestScript, _ bool, args []string) {
	var register map[string][]json.RawMessage
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &register))
	client, certificate, key := ownCertificate(ts)
	const secret = "secret-of-the-service"
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+secret {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		rows := register[strings.TrimPrefix(r.URL.Path, "/v1/licences/")]
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"total": len(rows), "rows": append([]json.RawMessage{}, rows...)})
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	s.TLS.ClientCAs.AddCert(client)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // who has no certificate is refused on purpose
	s.StartTLS()
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL)
	for name, text := range map[string][]byte{
		"ca.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), "client.pem": certificate, "client.key": key, "service.secret": []byte(secret + "\n"),
	} {
		ts.Check(os.WriteFile(ts.MkAbs(name), text, 0o600))
	}
}

// ownCertificate makes a client's certificate that vouches for itself.
func ownCertificate(ts *testscript.TestScript) (parsed *x509.Certificate, certificate, key []byte) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, secret.Public(), secret)
	ts.Check(err)
	parsed, err = x509.ParseCertificate(der)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	ts.Check(err)
	return parsed, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}
