// passing: a pair of sockets through package syscall, over which the end of a pipe is passed with SCM_RIGHTS.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func check(what string, err error) {
	if err != nil {
		fmt.Println("wrong:", what, err)
		os.Exit(1)
	}
}

func main() {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check("socketpair", err)
	var pipe [2]int
	check("pipe2", syscall.Pipe2(pipe[:], syscall.O_CLOEXEC))
	check("sendmsg", syscall.Sendmsg(pair[0], []byte("the end of a pipe"), syscall.UnixRights(pipe[1]), nil, 0))
	check("close", syscall.Close(pipe[1]))

	text, control := make([]byte, 64), make([]byte, syscall.CmsgSpace(4))
	count, controlCount, _, _, err := syscall.Recvmsg(pair[1], text, control, 0)
	check("recvmsg", err)
	if string(text[:count]) != "the end of a pipe" {
		check("the text is "+string(text[:count]), syscall.EINVAL)
	}
	messages, err := syscall.ParseSocketControlMessage(control[:controlCount])
	check("control message", err)
	if len(messages) != 1 {
		check("control messages", syscall.EINVAL)
	}
	rights, err := syscall.ParseUnixRights(&messages[0])
	check("rights", err)
	if len(rights) != 1 {
		check("descriptors", syscall.EINVAL)
	}
	_, err = syscall.Write(rights[0], []byte("through what was passed"))
	check("write", err)
	check("close", syscall.Close(rights[0]))
	count, err = syscall.Read(pipe[0], text)
	check("read", err)
	if string(text[:count]) != "through what was passed" {
		check("the pipe has "+string(text[:count]), syscall.EINVAL)
	}
	count, err = syscall.Read(pipe[0], text)
	check("read at the end", err)
	if count != 0 {
		check("the pipe is not at its end", syscall.EINVAL)
	}
	fmt.Println("passing: a descriptor came through a socket")
}
