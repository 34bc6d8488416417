package finger

// neighbours returns the eight pixels around i, clockwise from north, as bits 0..7.
func neighbours(b []uint8, i, w int) uint8 {
	return b[i-w] | b[i-w+1]<<1 | b[i+1]<<2 | b[i+w+1]<<3 | b[i+w]<<4 | b[i+w-1]<<5 | b[i-1]<<6 | b[i-w-1]<<7
}

// thinTable says for each neighbourhood whether the pixel may go in the first and in the second half step of
// Zhang and Suen (CACM 1984).
func thinTable() (table [256]uint8) {
	for n := range 256 {
		bit := func(k int) int { return n >> (k & 7) & 1 }
		count, rises := 0, 0
		for k := range 8 {
			count += bit(k)
			if bit(k) == 0 && bit(k+1) == 1 {
				rises++
			}
		}
		if count < 2 || count > 6 || rises != 1 {
			continue
		}
		north, east, south, west := bit(0), bit(2), bit(4), bit(6)
		if north*east*south == 0 && east*south*west == 0 {
			table[n] |= 1
		}
		if north*east*west == 0 && north*south*west == 0 {
			table[n] |= 2
		}
	}
	return table
}

// thin reduces ridges (1) to lines one pixel wide, in place. The outermost pixels must be 0.
func thin(b []uint8, w int) {
	table := thinTable()
	var live []int32
	for i, v := range b {
		if v != 0 {
			live = append(live, int32(i))
		}
	}
	var gone []int32
	for changed := true; changed; {
		changed = false
		for half := uint8(1); half <= 2; half++ {
			gone = gone[:0]
			kept := live[:0]
			for _, i := range live {
				if table[neighbours(b, int(i), w)]&half != 0 {
					gone = append(gone, i)
				} else {
					kept = append(kept, i)
				}
			}
			for _, i := range gone {
				b[i] = 0
			}
			live = kept
			changed = changed || len(gone) > 0
		}
	}
	// What is left of diagonal steps two pixels wide would look like forks.
	for _, i := range live {
		n := neighbours(b, int(i), w)
		corner := n&0b101 == 0b101 && n&0b01110000 == 0 || n&0b10100 == 0b10100 && n&0b11000001 == 0 ||
			n&0b1010000 == 0b1010000 && n&0b00000111 == 0 || n&0b1000001 == 0b1000001 && n&0b00011100 == 0
		if corner {
			b[i] = 0
		}
	}
}

// crossings counts the lines that leave a skeleton pixel: 1 an end, 2 a line, 3 or more a fork (Rutovitz 1966).
func crossings(n uint8) int {
	c := 0
	for k := range 8 {
		if n>>k&1 == 0 && n>>((k+1)&7)&1 == 1 {
			c++
		}
	}
	return c
}
