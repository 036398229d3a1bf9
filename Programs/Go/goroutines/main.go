// goroutines: ten thousand of them hand numbers over channels, count under a mutex and wait for each other.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
)

func main() {
	const count = 10000
	runtime.GOMAXPROCS(4)
	numbers := make(chan int)
	sums := make(chan int)
	var group sync.WaitGroup
	var mutex sync.Mutex
	visits := 0
	for index := 0; index < count; index++ {
		group.Add(1)
		go func() {
			defer group.Done()
			number := <-numbers
			mutex.Lock()
			visits++
			mutex.Unlock()
			sums <- number * 2
		}()
	}
	go func() {
		for index := 0; index < count; index++ {
			numbers <- index
		}
	}()
	total := 0
	for index := 0; index < count; index++ {
		total += <-sums
	}
	group.Wait()
	if total != count*(count-1) || visits != count {
		fmt.Println("wrong:", total, visits)
		os.Exit(1)
	}
	fmt.Println("goroutines:", count, "sum", total)
}
