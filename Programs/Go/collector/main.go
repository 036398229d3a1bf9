// collector: allocates 200 MB and more in pieces, keeps a part of them, and looks whether that part is what it was.
package main

import (
	"fmt"
	"os"
	"runtime"
)

type node struct {
	next  *node
	bytes []byte
	check uint32
}

func fill(bytes []byte, seed uint32) uint32 {
	sum := uint32(0)
	for index := range bytes {
		seed = seed*1664525 + 1013904223
		bytes[index] = byte(seed >> 24)
		sum = sum*31 + uint32(bytes[index])
	}
	return sum
}

func main() {
	var kept *node
	total := 0
	for round := 0; total < 200<<20; round++ {
		bytes := make([]byte, 1024+round%8*2048)
		total += len(bytes)
		if round%64 == 0 {
			kept = &node{next: kept, bytes: bytes, check: fill(bytes, uint32(round))}
		}
	}
	for current := kept; current != nil; current = current.next {
		sum := uint32(0)
		for _, value := range current.bytes {
			sum = sum*31 + uint32(value)
		}
		if sum != current.check {
			fmt.Println("wrong: what was kept has changed")
			os.Exit(1)
		}
	}
	var statistics runtime.MemStats
	runtime.ReadMemStats(&statistics)
	if statistics.NumGC < 3 {
		fmt.Println("wrong: collected", statistics.NumGC, "times")
		os.Exit(1)
	}
	fmt.Println("collector: allocated", total>>20, "MB")
}
