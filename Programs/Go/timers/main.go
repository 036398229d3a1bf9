// timers: sleeps, tickers, deadlines and time-outs come in their order, and not too early.
package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

func check(condition bool, what string) {
	if !condition {
		fmt.Println("wrong:", what)
		os.Exit(1)
	}
}

func main() {
	start := time.Now()
	time.Sleep(20 * time.Millisecond)
	check(time.Since(start) >= 20*time.Millisecond, "a sleep that is too short")
	order := make(chan int, 3)
	for _, delay := range []int{30, 10, 20} {
		delay := delay
		time.AfterFunc(time.Duration(delay)*time.Millisecond, func() { order <- delay })
	}
	for _, wanted := range []int{10, 20, 30} {
		check(<-order == wanted, "timers out of order")
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	for count := 0; count < 5; count++ {
		<-ticker.C
	}
	ticker.Stop()
	limited, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	select {
	case <-limited.Done():
	case <-time.After(10 * time.Second):
		check(false, "a time-out that does not come")
	}
	fmt.Println("timers: in order")
}
