// promise
