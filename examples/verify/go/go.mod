module tongban.example/verify

go 1.19
