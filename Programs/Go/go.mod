module martlet.example/programs

go 1.19
