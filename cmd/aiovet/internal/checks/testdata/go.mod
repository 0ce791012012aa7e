module aiovet.test

go 1.26.0

require github.com/sqlaio/sqlaio v0.0.0

replace github.com/sqlaio/sqlaio => ../../../../..
