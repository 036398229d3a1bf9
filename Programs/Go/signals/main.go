// signals: os/signal hears what the process sends itself, and a nil dereference becomes a panic that can be recovered from.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func dereference(pointer *int) (message string) {
	defer func() { message = fmt.Sprint(recover()) }()
	return fmt.Sprint(*pointer)
}

func main() {
	heard := make(chan os.Signal, 4)
	signal.Notify(heard, syscall.SIGUSR1, syscall.SIGTERM)
	for _, number := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM} {
		if err := syscall.Kill(os.Getpid(), number); err != nil {
			fmt.Println("wrong:", err)
			os.Exit(1)
		}
		if got := <-heard; got != number {
			fmt.Println("wrong: heard", got)
			os.Exit(1)
		}
	}
	message := dereference(nil)
	if message != "runtime error: invalid memory address or nil pointer dereference" {
		fmt.Println("wrong:", message)
		os.Exit(1)
	}
	fmt.Println("signals: heard and recovered")
}
