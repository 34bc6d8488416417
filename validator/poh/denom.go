package poh

import (
	"fmt"
	"math/big"
	"strings"
)

const (
	// Denom is the bond, fee and escrow denomination: 1 HEART is 10^18 aheart.
	Denom = "aheart"
	// Bech32Prefix starts each account address of the chain.
	Bech32Prefix = "human"
	// MinGasPrice is the network's floor, aheart for each unit of gas.
	MinGasPrice = 1_000_000_000

	heartDecimals = 18
	heartUnit     = "HEART"
	// maxAmountDigits is what the chain's 256-bit amounts need at most.
	maxAmountDigits = 78
)

// FormatHeart writes an SDK coin ("12500000000000000000aheart"), or its bare digits, as people read
// it: "12.5 HEART". It loses nothing: [ParseHeart] gives the coin back.
func FormatHeart(coin string) (string, error) {
	digits := strings.TrimSuffix(coin, Denom)
	if !isDigits(digits) || len(digits) > maxAmountDigits {
		return "", fmt.Errorf("%w: %q is not a whole number of %s", ErrAmount, coin, Denom)
	}
	digits = strings.TrimLeft(digits, "0")
	if pad := heartDecimals + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	whole, part := digits[:len(digits)-heartDecimals], strings.TrimRight(digits[len(digits)-heartDecimals:], "0")
	if part != "" {
		whole += "." + part
	}
	return whole + " " + heartUnit, nil
}

// ParseHeart reads "12.5 HEART" or "12.5" into the SDK coin "12500000000000000000aheart". More than
// 18 decimals, signs, exponents and other units are refused.
func ParseHeart(text string) (string, error) {
	number := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), heartUnit))
	whole, part, point := strings.Cut(number, ".")
	if !isDigits(whole) || point && !isDigits(part) || len(part) > heartDecimals || len(whole) > maxAmountDigits-heartDecimals {
		return "", fmt.Errorf("%w: %q; write it like \"12.5 HEART\", with at most %d decimals", ErrAmount, text, heartDecimals)
	}
	amount, _ := new(big.Int).SetString(whole+part+strings.Repeat("0", heartDecimals-len(part)), 10)
	return amount.String() + Denom, nil
}

func isDigits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
