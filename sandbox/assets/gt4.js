// A stand-in for GeeTest's gt4.js, with the part of its interface that pages use: initGeetest4(config, callback), and of the
// captcha appendTo, onReady, onSuccess, onError, getValidate, reset and destroy. The challenge is one button. It gets a token by
// a script element, as the vendor's does.
(() => {
  const base = document.currentScript.src.replace(/\/v4\/gt4\.js.*$/, '');

  const ask = (path, parameters, done, failed) => {
    const callback = `geetest_${Date.now()}${Math.floor(Math.random() * 1e6)}`;
    const script = document.createElement('script');
    window[callback] = (answer) => { delete window[callback]; done(answer); };
    script.onerror = failed;
    script.src = `${base}/${path}?${new URLSearchParams({ ...parameters, callback })}`;
    document.head.append(script);
  };

  window.initGeetest4 = (config, callback) => {
    const listeners = { Ready: [], Success: [], Error: [] };
    const tell = (event, value) => listeners[event].forEach((listener) => listener(value));
    let token;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'geetest_btn_click';
    button.style.cssText = 'width:100%;height:50px';
    const idle = () => { token = undefined; button.textContent = config.language === 'eng' ? 'Click to verify' : '点击按钮进行验证'; };
    idle();
    button.addEventListener('click', () => ask('verify', { captcha_id: config.captchaId }, (answer) => {
      if (answer.status !== 'success') return tell('Error', { code: answer.code, msg: answer.msg });
      token = answer.data.seccode;
      button.textContent = config.language === 'eng' ? 'Verified' : '验证成功';
      return tell('Success');
    }, () => tell('Error', { code: '60101', msg: 'verify request error' })));
    const captcha = {
      appendTo(place) {
        (typeof place === 'string' ? document.querySelector(place) : place).append(button);
        setTimeout(() => tell('Ready'), 0);
        return captcha;
      },
      getValidate: () => token ?? false,
      reset() { idle(); return captcha; },
      destroy: () => button.remove(),
    };
    for (const event of Object.keys(listeners)) {
      captcha[`on${event}`] = (listener) => { listeners[event].push(listener); return captcha; };
    }
    callback(captcha);
  };
})();
