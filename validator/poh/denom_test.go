package poh_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/vouchbox/vouch/validator/poh"
)

func TestHeartText(t *testing.T) {
	for coin, text := range map[string]string{
		"0aheart":                            "0 HEART",
		"1aheart":                            "0.000000000000000001 HEART",
		"12500000000000000000aheart":         "12.5 HEART",
		"1000000000000000000aheart":          "1 HEART",
		"7800000000000000000000000000aheart": "7800000000 HEART",
	} {
		if got, err := poh.FormatHeart(coin); err != nil || got != text {
			t.Errorf("FormatHeart(%q) = %q, %v; want %q", coin, got, err, text)
		}
		if got, err := poh.ParseHeart(text); err != nil || got != coin {
			t.Errorf("ParseHeart(%q) = %q, %v; want %q", text, got, err, coin)
		}
	}
	if got, err := poh.FormatHeart("007"); err != nil || got != "0.000000000000000007 HEART" {
		t.Errorf("bare digits: %q, %v", got, err)
	}
	if got, err := poh.ParseHeart("12.50"); err != nil || got != "12500000000000000000aheart" {
		t.Errorf("without the unit: %q, %v", got, err)
	}
}

func TestHeartTextRefusals(t *testing.T) {
	for _, bad := range []string{"", " ", "HEART", "-1", "+1", "1e3", "1.", ".5", "1.2.3", "1,5", "1 heart", "0.0000000000000000001", "1 HEART HEART", "١"} {
		if got, err := poh.ParseHeart(bad); !errors.Is(err, poh.ErrAmount) {
			t.Errorf("ParseHeart(%q) = %q, %v", bad, got, err)
		}
	}
	for _, bad := range []string{"", "aheart", "-1aheart", "1.5aheart", "5atom", "1aheartaheart"} {
		if got, err := poh.FormatHeart(bad); !errors.Is(err, poh.ErrAmount) {
			t.Errorf("FormatHeart(%q) = %q, %v", bad, got, err)
		}
	}
}

func TestHeartRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		coin := rapid.StringMatching(`(0|[1-9][0-9]{0,59})aheart`).Draw(t, "coin")
		text, err := poh.FormatHeart(coin)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := poh.ParseHeart(text); err != nil || back != coin {
			t.Fatalf("%q -> %q -> %q, %v", coin, text, back, err)
		}
	})
}
