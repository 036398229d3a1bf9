// hello: the smallest program of Go, which has several threads all the same.
package main

import "fmt"

func main() { fmt.Println("hello from Go") }
