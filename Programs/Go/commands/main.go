// commands: os/exec runs another program (this one again, and one given by its path) with arguments, and reads its output through
// a pipe. Its module has to be there as /bin/commands; a further path may be given as an argument.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

const role = "as-a-command"

func fail(what string, err error) {
	fmt.Println("wrong:", what, err)
	os.Exit(1)
}

// command is what this program does when another runs it: it says its arguments, turns its input round, and ends with a status.
func command(words []string) {
	fmt.Println("arguments:", strings.Join(words, " "))
	fmt.Println("environment:", os.Getenv("WORD"))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		text := []byte(lines.Text())
		for first, last := 0, len(text)-1; first < last; first, last = first+1, last-1 {
			text[first], text[last] = text[last], text[first]
		}
		fmt.Println(string(text))
	}
	fmt.Fprintln(os.Stderr, "ending")
	os.Exit(7)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == role {
		command(os.Args[2:])
	}
	own := os.Args[0]
	child := exec.Command(own, role, "one", "two words")
	child.Env = []string{"WORD=given"}
	input, err := child.StdinPipe()
	if err != nil {
		fail("StdinPipe", err)
	}
	output, err := child.StdoutPipe()
	if err != nil {
		fail("StdoutPipe", err)
	}
	var complaints strings.Builder
	child.Stderr = &complaints
	if err := child.Start(); err != nil {
		fail("Start", err)
	}
	go func() {
		for number := 0; number < 1000; number++ {
			fmt.Fprintf(input, "line %d\n", number)
		}
		input.Close()
	}()
	text, err := io.ReadAll(output)
	if err != nil {
		fail("ReadAll", err)
	}
	err = child.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		fail("Wait", err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 1003 || lines[0] != "arguments: one two words" || lines[1] != "environment: given" ||
		lines[1001] != "999 enil" {
		fail("the output is", fmt.Errorf("%d lines, %q", len(lines), lines[:2]))
	}
	if complaints.String() != "ending\n" {
		fail("standard error is", errors.New(complaints.String()))
	}
	if err := exec.Command("/bin/nothing-there").Run(); !errors.Is(err, os.ErrNotExist) {
		fail("a program that is not there gave", err)
	}
	// Other modules, each with arguments of its own.
	for _, path := range os.Args[1:] {
		text, err := exec.Command(path, "a", "b").Output()
		if err != nil {
			fail(path, err)
		}
		if string(text) != "argument 0: "+path+"\nargument 1: a\nargument 2: b\n" {
			fail(path+" said", errors.New(string(text)))
		}
	}
	fmt.Println("commands: run, fed and heard")
}
