// The people with an account. Anybody may sign in; some of them are special.
const mfa = 'urn:example:mfa';
const password = 'urn:example:password';

// refuses: what somebody leaves out of the consent.
const refuses = { carol: ['email'] };

// weak: who has no second factor.
const weak = new Set(['dave']);

export const acrValues = [mfa, password];

export function findAccount(_ctx, sub) {
  return {
    accountId: sub,
    claims: () => ({
      sub,
      email: `${sub}@example.test`,
      email_verified: true,
      name: `Test ${sub}`,
      preferred_username: sub,
      groups: ['developers'],
      department: 'research',
    }),
  };
}

// animate makes the provider's own pages answer as that person would.
export function animate(oidc) {
  const finish = oidc.interactionFinished.bind(oidc);
  oidc.interactionFinished = async (request, response, result, options) => {
    const { params, session } = await oidc.interactionDetails(request, response);
    if (result.login) {
      result.login.acr = context(params, result.login.accountId);
      result.login.amr = result.login.acr === mfa ? ['pwd', 'otp'] : ['pwd'];
    }
    const refused = refuses[session?.accountId];
    if (result.consent && refused) {
      const grant = await oidc.Grant.find(result.consent.grantId);
      grant.rejectOIDCScope(refused.join(' '));
      await grant.save();
    }
    return finish(request, response, result, options);
  };
}

// context is the authentication context class that a sign-in reaches.
function context(params, who) {
  const claim = params.claims ? JSON.parse(params.claims).id_token?.acr : undefined;
  const wanted = claim?.values ?? (claim?.value ? [claim.value] : params.acr_values?.split(' ') ?? []);
  return wanted.includes(mfa) && !weak.has(who) ? mfa : password;
}
