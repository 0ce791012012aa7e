package threadpin
