// shared_memory: an anonymous object by shm_open2, mapped twice through package syscall.
package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

const (
	callShmOpen2 = 571
	anonymous    = 1 // SHM_ANON
)

func fail(what string, err error) {
	fmt.Println("wrong:", what, err)
	os.Exit(1)
}

func main() {
	name, err := syscall.BytePtrFromString("memfd:go")
	if err != nil {
		fail("name", err)
	}
	descriptor, _, number := syscall.Syscall6(
		callShmOpen2, anonymous, syscall.O_RDWR, 0600, 0, uintptr(unsafe.Pointer(name)), 0)
	if number != 0 {
		fail("shm_open2", number)
	}
	if err := syscall.Ftruncate(int(descriptor), 8192); err != nil {
		fail("ftruncate", err)
	}
	first, err := syscall.Mmap(int(descriptor), 0, 8192, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		fail("mmap", err)
	}
	second, err := syscall.Mmap(int(descriptor), 0, 8192, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		fail("mmap again", err)
	}
	copy(first[4090:], "across two pages")
	if string(second[4090:4106]) != "across two pages" {
		fail("the second mapping has", nil)
	}
	if err := syscall.Munmap(first); err != nil {
		fail("munmap", err)
	}
	fmt.Println("shared memory: seen through both mappings")
}
