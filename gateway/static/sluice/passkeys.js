/* Passkeys are made and shown by the browser, so this one part needs JavaScript. Its buttons are hidden without it.

   Works on <form data-passkey="sign-in | use | add">. "sign-in" fetches its options from the form's own address, the
   others find theirs in the element that data-options names. */
(function () {
  'use strict'

  const FAILED = 'That did not work. Try again, or use another way.'

  async function optionsOf (form) {
    if (form.dataset.passkey !== 'sign-in') {
      return JSON.parse(document.getElementById(form.dataset.options).textContent)
    }
    const answer = await fetch(form.action, { headers: { Accept: 'application/json' } })
    if (!answer.ok) throw new Error('no options')
    return (await answer.json()).request_options
  }

  function asPasskey (options) {
    const selection = options.publicKey.authenticatorSelection
    Object.assign(selection, { residentKey: 'required', requireResidentKey: true, userVerification: 'required' })
    return options
  }

  async function credentialOf (form) {
    const options = await optionsOf(form)
    if (form.dataset.passkey === 'add') return window.webauthnJSON.create(asPasskey(options))
    return window.webauthnJSON.get(options)
  }

  async function send (event) {
    const form = event.currentTarget
    event.preventDefault()
    const problem = form.querySelector('[role=alert]')
    problem.hidden = true
    try {
      form.elements.credential.value = JSON.stringify(await credentialOf(form))
    } catch (error) {
      problem.textContent = FAILED
      problem.hidden = false
      return
    }
    form.submit()
  }

  for (const form of document.querySelectorAll('form[data-passkey]')) {
    if (!window.PublicKeyCredential) continue
    form.hidden = false
    form.addEventListener('submit', send)
  }
})()
